// Pitstop without a mesh: all of its programs on this machine's ports.
import { after, before, describe } from 'node:test';
import { type Pitstop, startPitstop } from './alone.ts';
import { behavesAsPitstop } from './behaviour.ts';

describe('Pitstop alone', () => {
  let pitstop: Pitstop;
  before(async () => {
    pitstop = await startPitstop();
  });
  after(() => pitstop.dispose());

  behavesAsPitstop(() => pitstop);
});
