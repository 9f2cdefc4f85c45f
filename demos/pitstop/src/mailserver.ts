// A mail server that delivers nothing: it takes every mail by SMTP and shows it on a page, as MailDev does.
import type { IncomingMessage } from 'node:http';
import { listen, portFromEnvironment } from '@varka/demo-kit/serve.ts';
import { SMTPServer } from 'smtp-server';
import { type Html, html } from './shared/html.ts';
import { messageOf } from './shared/log.ts';
import { json, page, reply, text, type WebReply, webServer } from './shared/web.ts';
import { frame, STYLE_PATH, viewerStyle } from './viewers/frame.ts';
import { Mailbox, type ReceivedMail } from './viewers/mailbox.ts';

const MAX_MAIL_BYTES = 1024 * 1024;
const SMTP_PORT = Number(process.env['SMTP_PORT'] ?? 25);

const mailbox = new Mailbox();
const style = viewerStyle();

const smtp = new SMTPServer({
  disabledCommands: ['AUTH', 'STARTTLS'],
  disableReverseLookup: true,
  size: MAX_MAIL_BYTES,
  onData(stream, _session, done) {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => {
      // The rest of what is too large is read and not kept; the answer then says so.
      if (!stream.sizeExceeded) chunks.push(chunk);
    });
    stream.on('end', () => {
      if (stream.sizeExceeded) {
        done(Object.assign(new Error(`a mail may have ${MAX_MAIL_BYTES} bytes`), { responseCode: 552 }));
        return;
      }
      mailbox.receive(Buffer.concat(chunks)).then(
        (mail) => {
          console.log(`Received "${mail.subject}" for ${namesOf(mail.to)}`);
          done(null, 'taken');
        },
        (error: unknown) => done(Object.assign(new Error(messageOf(error)), { responseCode: 554 })),
      );
    });
  },
});
smtp.on('error', (error: NodeJS.ErrnoException) => {
  console.error(`SMTP: ${error.message}`);
  if (error.syscall === 'listen') process.exit(1);
});

const namesOf = (parties: ReceivedMail['to']) => parties.map(({ address }) => address).join(', ');

function listPage(): Html {
  const items = mailbox.all.map(
    ({ id, subject, from, to, time }) => html`<li><a href="/mail/${id}"><strong>${subject}</strong>
      <span class="muted">${namesOf(from)} → ${namesOf(to)} · ${time.slice(0, 19).replace('T', ' ')}</span></a></li>`,
  );
  return frame('Mail', [
    html`<h1>${items.length} mails</h1>`,
    items.length === 0 ? html`<p class="muted">None has come yet.</p>` : html`<ul>${items}</ul>`,
  ]);
}

function mailPage({ id, subject, from, to, text: plain, html: body }: ReceivedMail): Html {
  return frame('Mail', [
    html`<h1>${subject}</h1><p class="muted">${namesOf(from)} → ${namesOf(to)}</p>`,
    // Without `allow-…` the frame runs no script and is of no origin.
    body === '' ? html`<pre>${plain}</pre>` : html`<iframe sandbox title="The mail" src="/email/${id}/html"></iframe>`,
  ]);
}

function handle(message: IncomingMessage, { pathname }: URL): WebReply {
  if (pathname === STYLE_PATH) return style;
  if (message.method === 'DELETE' && pathname === '/email/all') {
    mailbox.clear();
    return json(200, true);
  }
  if (message.method !== 'GET' && message.method !== 'HEAD') return text(405, 'Method Not Allowed\n');
  if (pathname === '/') return page(listPage());
  if (pathname === '/email') return json(200, mailbox.all);
  if (pathname === '/healthz') return json(200, true);
  const [, kind = '', id = '', part] = pathname.split('/');
  const mail = mailbox.find(id);
  if (mail === undefined) return text(404, 'There is no such mail.\n');
  if (kind === 'mail' && part === undefined) return page(mailPage(mail));
  if (kind === 'email' && part === undefined) return json(200, mail);
  if (kind === 'email' && part === 'html') return bodyOf(mail);
  return text(404, 'Not Found\n');
}

/** What somebody sent is shown, and nothing it asks for is done. */
function bodyOf(mail: ReceivedMail): WebReply {
  return reply(200, mail.html, {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:",
  });
}

const host = process.env['HOST'];
smtp.listen({ port: SMTP_PORT, ...(host === undefined ? {} : { host }) }, () => {
  console.log(`SMTP on port ${SMTP_PORT}`);
});
const server = webServer(handle, (error, { method, url }) => console.error(`${method} ${url} failed:`, error));
listen(server, portFromEnvironment(80), (port) => console.log(`Web page on http://0.0.0.0:${port}`));
