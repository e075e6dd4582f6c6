// Says when the log on disk fills up: a destination that is down fills it long before anything stops. What every lane has
// released does not count: a log that is kept as a history is always full of that.

import type { LogUsage } from '../log/change-log.ts';
import type { Logger } from '../sdk/index.ts';

/** Shares of the bound, in percent, at which it is said once. */
const LEVELS = [80, 95] as const;
/** Only below the level by this many percent it may be said again. */
const HYSTERESIS = 5;

export class LogWatch {
  readonly #logger: Logger;
  #said = 0;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  check({ neededBytes: bytes, maxBytes, neededEvents: events, maxEvents }: LogUsage, laggard: string | null): void {
    const percent = 100 * Math.max(bytes / maxBytes, events / maxEvents);
    const level = LEVELS.findLast((l) => percent >= l) ?? 0;
    if (level > this.#said) {
      this.#logger.warn(`the change log is ${Math.floor(percent)} % full`, {
        bytes,
        maxBytes,
        events,
        ...(laggard === null ? {} : { waitsFor: laggard }),
        fix: 'Bring the slowest destination back, or raise log.max_bytes: at 100 % the source waits.',
      });
      this.#said = level;
    } else if (percent < this.#said - HYSTERESIS) this.#said = level;
  }
}
