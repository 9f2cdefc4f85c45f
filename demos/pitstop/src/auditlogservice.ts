// Writes every event to a file of the day it came on.
import { appendFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { today } from './shared/clock.ts';
import { consume } from './shared/events.ts';
import { Log } from './shared/log.ts';
import { endOnSignals } from './shared/worker.ts';

const DIRECTORY = join(process.env['DATA_DIR'] ?? '.', 'auditlog');

const log = new Log('AuditLogService');
endOnSignals();
await mkdir(DIRECTORY, { recursive: true });
await consume('Auditlog', log, async (event, body) => {
  const file = join(DIRECTORY, `${today()}-auditlog.txt`);
  // One event a line: JSON.stringify leaves no line feed in it, whatever the publisher wrote.
  const line = `${new Date().toISOString()} - ${JSON.stringify(JSON.parse(body))}\n`;
  await appendFile(file, line);
  log.information('Wrote {MessageType} {MessageId} to {File}', {
    MessageType: event.messageType,
    MessageId: event.messageId,
    File: file,
  });
});
