// The mails that came, newest last, up to a number.
import { randomBytes } from 'node:crypto';
import PostalMime, { type Address } from 'postal-mime';

const MAX_MAILS = 500;

interface Party {
  readonly address: string;
  readonly name: string;
}

export interface ReceivedMail {
  readonly id: string;
  readonly subject: string;
  readonly from: readonly Party[];
  readonly to: readonly Party[];
  readonly html: string;
  readonly text: string;
  /** When it came, as an ISO timestamp. */
  readonly time: string;
}

function partiesOf(addresses: readonly (Address | undefined)[]): Party[] {
  return addresses.flatMap((one) => (one?.address === undefined ? [] : [{ address: one.address, name: one.name }]));
}

export class Mailbox {
  #mails: ReceivedMail[] = [];

  /** Newest first. */
  get all(): readonly ReceivedMail[] {
    return this.#mails.toReversed();
  }

  find(id: string): ReceivedMail | undefined {
    return this.#mails.find((mail) => mail.id === id);
  }

  clear(): void {
    this.#mails = [];
  }

  /** `source` as it came over SMTP. */
  async receive(source: Buffer): Promise<ReceivedMail> {
    const { subject, from, to = [], html, text } = await PostalMime.parse(source);
    const mail = {
      id: randomBytes(4).toString('hex'),
      subject: subject ?? '',
      from: partiesOf([from]),
      to: partiesOf(to),
      html: html ?? '',
      text: text ?? '',
      time: new Date().toISOString(),
    };
    this.#mails.push(mail);
    if (this.#mails.length > MAX_MAILS) this.#mails.shift();
    return mail;
  }
}
