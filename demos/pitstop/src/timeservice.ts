// Tells everybody when a day has passed.
import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { today } from './shared/clock.ts';
import { Publisher } from './shared/events.ts';
import { Log } from './shared/log.ts';
import { delayMs } from './shared/retry.ts';
import { endOnSignals } from './shared/worker.ts';

const CHECK_EVERY_MS = 10_000;

/** For those who do not want to wait until midnight. */
const SHORT_DAY_S = process.env['DAY_SECONDS'];

const log = new Log('TimeService');
const publisher = new Publisher();

async function announce(): Promise<void> {
  const messageId = randomUUID();
  const body = JSON.stringify({ messageId, messageType: 'DayHasPassed' });
  for (let retry = 1; ; retry++) {
    try {
      await publisher.publish('DayHasPassed', messageId, body);
      log.information('Published DayHasPassed');
      return;
    } catch (error) {
      log.error('DayHasPassed waits to be published', error);
      await setTimeout(delayMs(retry));
    }
  }
}

async function realDays(): Promise<never> {
  log.information('A day passes at midnight; checking every {Seconds} s', { Seconds: CHECK_EVERY_MS / 1000 });
  for (let day = today(); ; ) {
    await setTimeout(CHECK_EVERY_MS);
    if (day === today()) continue;
    day = today();
    await announce();
  }
}

async function shortDays(seconds: number): Promise<never> {
  log.information('A day passes every {Seconds} s', { Seconds: seconds });
  for (;;) {
    await setTimeout(seconds * 1000);
    await announce();
  }
}

endOnSignals();
if (SHORT_DAY_S === undefined) await realDays();
else if (/^[1-9]\d{0,5}$/.test(SHORT_DAY_S)) await shortDays(Number(SHORT_DAY_S));
else {
  console.error(`DAY_SECONDS is "${SHORT_DAY_S}"; it must be a number of seconds from 1 on`);
  process.exit(1);
}
