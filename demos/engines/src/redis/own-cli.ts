// Our own redis-cli, a program: one command from the arguments, or a line at a time from standard input.
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { formatReply, ReplyReader } from './reply-reader.ts';
import { encodeCommand } from './resp.ts';

const USAGE = 'usage: redis-cli [-h HOST] [-p PORT] [-n DB] [-a PASSWORD] [--raw|--no-raw] [COMMAND ARG…]';
const VALUED: Readonly<Record<string, string>> = { '-h': 'host', '-p': 'port', '-n': 'db', '-a': 'password' };

await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<void> {
  const options: Record<string, string> = { host: '127.0.0.1', port: '6379' };
  let raw = !process.stdout.isTTY;
  let at = 0;
  for (; argv[at]?.startsWith('-'); at++) {
    const option = argv[at] as string;
    const name = VALUED[option];
    if (name !== undefined && argv[at + 1] !== undefined) options[name] = argv[++at] as string;
    else if (option === '--raw' || option === '--no-raw') raw = option === '--raw';
    else {
      console.error(`Unrecognized option or bad number of args for: '${option}'\n${USAGE}`);
      process.exit(1);
    }
  }
  const socket = connect(Number(options['port']), options['host']);
  socket.on('error', (error) => {
    console.error(`Could not connect to Redis at ${options['host']}:${options['port']}: ${error.message}`);
    process.exit(1);
  });
  const reader = new ReplyReader(socket);
  const ask = async (words: readonly string[]): Promise<void> => {
    socket.write(encodeCommand(words.map((word) => Buffer.from(word, 'utf8').toString('latin1'))), 'latin1');
    process.stdout.write(Buffer.from(`${formatReply(await reader.next(), raw)}\n`, 'latin1'));
  };
  const quietly = async (words: readonly string[]): Promise<void> => {
    socket.write(encodeCommand(words), 'latin1');
    const reply = await reader.next();
    if (reply instanceof Error) console.error(reply.message);
  };
  if (options['password'] !== undefined) await quietly(['AUTH', options['password']]);
  if (options['db'] !== undefined) await quietly(['SELECT', options['db']]);
  const words = argv.slice(at);
  if (words.length > 0) {
    await ask(words);
  } else {
    const terminal = process.stdin.isTTY === true;
    const prompt = terminal ? `${options['host']}:${options['port']}> ` : '';
    const lines = createInterface({
      input: process.stdin,
      output: process.stdout,
      prompt,
      terminal,
    });
    if (terminal) lines.prompt();
    for await (const line of lines) {
      const typed = [...line.matchAll(/"((?:[^"\\]|\\.)*)"|'([^']*)'|(\S+)/g)].map(
        ([, double, single, bare]) => double?.replace(/\\(.)/g, '$1') ?? single ?? bare ?? '',
      );
      if (/^(quit|exit)$/i.test(typed[0] ?? '')) break;
      if (typed.length > 0) await ask(typed);
      if (terminal) lines.prompt();
    }
  }
  socket.destroy();
}
