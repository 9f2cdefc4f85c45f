// The time in the words of two public services.

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const DAY_MS = 86_400_000;
/** Windows counts in 100 ns from 1601. */
const FILE_TIME_OF_1970 = 116_444_736_000_000_000n;

/** `time.jsontest.com` */
export function jsonTest(now: Date): string {
  const two = (number: number) => String(number).padStart(2, '0');
  const hour = now.getUTCHours();
  const time = `${two(hour % 12 || 12)}:${two(now.getUTCMinutes())}:${two(now.getUTCSeconds())} ${hour < 12 ? 'AM' : 'PM'}`;
  const date = `${two(now.getUTCMonth() + 1)}-${two(now.getUTCDate())}-${now.getUTCFullYear()}`;
  return `${JSON.stringify({ time, milliseconds_since_epoch: now.getTime(), date }, undefined, 3)}\n`;
}

/** `worldclockapi.com/api/json/utc/now` */
export function worldClock(now: Date): string {
  const day = Math.floor((now.getTime() - Date.UTC(now.getUTCFullYear(), 0, 1)) / DAY_MS) + 1;
  const text = JSON.stringify({
    $id: '1',
    currentDateTime: `${now.toISOString().slice(0, 16)}Z`,
    utcOffset: '00:00:00',
    isDayLightSavingsTime: false,
    dayOfTheWeek: DAYS[now.getUTCDay()],
    timeZoneName: 'UTC',
    currentFileTime: 0,
    ordinalDate: `${now.getUTCFullYear()}-${day}`,
    serviceResponse: null,
  });
  // More digits than a number of JavaScript has.
  const fileTime = BigInt(now.getTime()) * 10_000n + FILE_TIME_OF_1970;
  return text.replace('"currentFileTime":0', `"currentFileTime":${fileTime}`);
}
