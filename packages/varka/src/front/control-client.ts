// Asks a running mesh through its control socket.
import { request } from 'node:http';
import { createInterface } from 'node:readline';
import { describe, errorCode, messageOf, problem, profileFlag, VarkaError } from '../errors.ts';
import type { Profile } from '../profile.ts';
import type { ProgressEvent, StatusDocument } from '../protocol.ts';
import { lockHolder } from './lock.ts';
import { runningProfiles } from './running-profiles.ts';

const TIMEOUT_MS = 15_000;
/** An answer is read whole; a mesh with thousands of pods stays well below this. */
const LARGEST_ANSWER = 64 << 20;

function notRunning(profile: Profile): VarkaError {
  const others = runningProfiles(profile.home).filter((name) => name !== profile.name);
  return problem('profile-not-running', {
    name: profile.name,
    flag: profileFlag(profile.name),
    others: others.length === 0 ? '' : `; running: ${others.join(', ')}`,
  });
}

function silent(profile: Profile, pid: number, error: unknown): VarkaError {
  const values = {
    name: profile.name,
    pid,
    path: profile.controlSocket,
    detail: messageOf(error),
    flag: profileFlag(profile.name),
  };
  return new VarkaError(describe('profile-silent', values), { cause: error });
}

async function get(profile: Profile, path: string): Promise<unknown> {
  const holder = lockHolder(profile.lock);
  if (holder === undefined) throw notRunning(profile);
  try {
    return await new Promise((resolve, reject) => {
      const call = request({ socketPath: profile.controlSocket, path, timeout: TIMEOUT_MS }, (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > LARGEST_ANSWER) response.destroy(new Error('the answer is too large'));
          else chunks.push(chunk);
        });
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          if (response.statusCode === 200) resolve(JSON.parse(text));
          else reject(new Error(`${response.statusCode} ${text.trim()}`));
        });
      });
      call.on('timeout', () => call.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)));
      call.on('error', reject);
      call.end();
    });
  } catch (error) {
    throw silent(profile, holder.pid, error);
  }
}

export async function fetchStatus(profile: Profile): Promise<StatusDocument> {
  return (await get(profile, '/status')) as StatusDocument;
}

export function fetchSyncz(profile: Profile): Promise<unknown> {
  return get(profile, '/debug/syncz');
}

/** Asks for an orderly stop. False when the mesh does not answer on its socket. */
export function requestStop(profile: Profile, onEvent: (event: ProgressEvent) => void): Promise<boolean> {
  return new Promise((resolve) => {
    const call = request({ socketPath: profile.controlSocket, path: '/stop', method: 'POST' }, (response) => {
      createInterface({ input: response }).on('line', (line) => onEvent(JSON.parse(line) as ProgressEvent));
      response.on('close', () => resolve(response.statusCode === 200));
    });
    call.on('error', (error) => {
      if (errorCode(error) !== undefined) resolve(false);
    });
    call.end();
  });
}
