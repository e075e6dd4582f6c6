import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { onStopSignal } from '../../../src/cli/signals.ts';

class FakeProcess extends EventEmitter {
  readonly exits: number[] = [];
  exit(code: number): void {
    this.exits.push(code);
  }
}

describe('onStopSignal', () => {
  it('stops at the first signal and exits with 128+n at the second, whichever they are', () => {
    const target = new FakeProcess();
    const stops: string[] = [];
    onStopSignal(target, (signal) => stops.push(signal));
    target.emit('SIGTERM', 'SIGTERM');
    expect([stops, target.exits]).toEqual([['SIGTERM'], []]);
    target.emit('SIGINT', 'SIGINT');
    expect([stops, target.exits]).toEqual([['SIGTERM'], [130]]);
  });

  it('listens no more once it is ended', () => {
    const target = new FakeProcess();
    onStopSignal(target, () => {})();
    expect(target.listenerCount('SIGINT') + target.listenerCount('SIGTERM')).toBe(0);
  });
});
