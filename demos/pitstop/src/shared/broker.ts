// The broker's user; `manifests/` give the broker itself the same.
export const BROKER = {
  user: process.env['RABBITMQ_USER'] ?? 'rabbitmquser',
  password: process.env['RABBITMQ_PASSWORD'] ?? 'DEBmbwkSrzy9D1T9cJfa',
} as const;
