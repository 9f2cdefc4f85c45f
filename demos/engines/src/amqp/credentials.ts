// The broker's one user: from the variables of RabbitMQ's image, or from a configuration file in RabbitMQ's own form.
import { readFileSync } from 'node:fs';
import type { Credentials } from './connection.ts';

const STANDARD = 'guest';

/** `default_user = name` and `default_pass = word` (rabbitmq.conf); other settings are not ours. */
function fromFile(path: string): Partial<Credentials> {
  const setting = (text: string, name: string) => new RegExp(`^\\s*${name}\\s*=\\s*(.*?)\\s*$`, 'm').exec(text)?.[1];
  const text = readFileSync(path, 'utf8');
  const [user, password] = [setting(text, 'default_user'), setting(text, 'default_pass')];
  return { ...(user === undefined ? {} : { user }), ...(password === undefined ? {} : { password }) };
}

/** Throws when RABBITMQ_CONFIG_FILE names a file that cannot be read. */
export function credentialsFrom(env: Readonly<Record<string, string | undefined>>): Credentials {
  const path = env['RABBITMQ_CONFIG_FILE'];
  const file = path === undefined ? {} : fromFile(path);
  return {
    user: env['RABBITMQ_DEFAULT_USER'] ?? file.user ?? STANDARD,
    password: env['RABBITMQ_DEFAULT_PASS'] ?? file.password ?? STANDARD,
  };
}
