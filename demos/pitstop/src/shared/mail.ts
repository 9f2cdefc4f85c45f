// Sending mail through the mail server.
import { createTransport } from 'nodemailer';
import { addressOf } from './addresses.ts';

const TIMEOUT_MS = 10_000;

export interface Mail {
  readonly from: string;
  readonly to: string;
  readonly subject: string;
  readonly html: string;
}

/** Resolves when the server has taken the mail. A connection of its own for each: mails are rare here. */
export async function sendMail(mail: Mail): Promise<void> {
  const server = addressOf('mailserver', 25);
  const transport = createTransport({
    ...server,
    secure: false,
    ignoreTLS: true,
    connectionTimeout: TIMEOUT_MS,
    greetingTimeout: TIMEOUT_MS,
    socketTimeout: TIMEOUT_MS,
  });
  try {
    await transport.sendMail(mail);
  } finally {
    transport.close();
  }
}
