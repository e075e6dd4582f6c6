// The hook `command`: runs a program, which reads what happened as JSON on its standard input.

import {
  CdcError,
  type ConfigOf,
  type ConfigProblem,
  Default,
  Duration,
  defineHook,
  type Hook,
  type HookPayload,
  Keys,
  type PluginContext,
  Secret,
  Type,
} from '../sdk/index.ts';
import { formatPayload } from './payload.ts';
import { type Ended, runProgram } from './program.ts';

const configSchema = Keys(
  {
    command: Type.Union([Type.Array(Type.String(), { minItems: 1 }), Type.String({ minLength: 1 })], {
      description: 'The program and its arguments as a list: no shell reads them. A text only together with `shell: true`.',
      examples: [['./notify.sh', '--channel', 'ops']],
    }),
    shell: Default(
      Type.Boolean({ description: 'Lets the shell run the text of `command`, with pipes and variables.', examples: [true] }),
      false,
    ),
    env: Default(
      Type.Record(Type.String(), Secret({ description: 'A variable.' }), {
        description: 'Variables of the environment, besides our own.',
        examples: [{ CHANNEL: 'ops' }],
      }),
      {},
    ),
    timeout: Default(
      Duration({ unit: 's', minimum: 0.01, description: 'After this the program and what it started is killed.', examples: ['30s'] }),
      '30s',
    ),
  },
  { description: 'Runs a program.' },
);

type CommandConfig = ConfigOf<typeof configSchema>;

export const descriptor = defineHook({
  type: 'command',
  title: 'Runs a program with what happened as JSON on its standard input',
  config: configSchema,
  validate,
  create: (config, ctx) => new CommandHook(config, ctx),
});

function validate(config: CommandConfig): ConfigProblem[] {
  const isText = typeof config.command === 'string';
  if (isText && !config.shell)
    return [
      {
        path: ['command'],
        message: 'a text is run by a shell, which has to be asked for',
        fix: 'Write the command as a list, or set shell: true.',
      },
    ];
  if (!isText && config.shell)
    return [{ path: ['shell'], message: 'a shell runs a text, not a list', fix: 'Write the command as a text, or remove `shell`.' }];
  return [];
}

class CommandHook implements Hook {
  readonly #config: CommandConfig;
  readonly #ctx: PluginContext;
  readonly #running = new Set<AbortController>();

  constructor(config: CommandConfig, ctx: PluginContext) {
    this.#config = config;
    this.#ctx = ctx;
  }

  async handle(payload: HookPayload): Promise<void> {
    const { command, env, timeout } = this.#config,
      stop = new AbortController();
    this.#running.add(stop);
    const ended = await runProgram({
      argv: command,
      env: { ...env, CDC_RUN_EVENT: payload.event, CDC_RUN_PIPELINE: payload.run.pipeline },
      input: `${formatPayload(payload)}\n`,
      timeoutMs: timeout,
      clock: this.#ctx.clock,
      stop,
      line: (stream, text) => {
        this.#ctx.logger[stream === 'stdout' ? 'info' : 'warn'](text);
      },
    });
    this.#running.delete(stop);
    const error = this.#errorOf(ended);
    if (error !== null) throw error;
  }

  /** Kills what still runs: the engine has given up waiting for it. */
  async close(): Promise<void> {
    for (const stop of this.#running) stop.abort();
  }

  #errorOf(ended: Ended): CdcError | null {
    const where = `hook "${this.#ctx.name}"`;
    switch (ended.kind) {
      case 'timeout':
        return new CdcError('PLUGIN_TIMEOUT', `The command did not end within ${this.#config.timeout / 1000} s and was killed.`, {
          where,
          fix: 'Raise `timeout`, or let the command do its work in the background.',
        });
      case 'stopped':
        return new CdcError('PLUGIN_FAILED', 'The command was killed because the pipeline ended.', {
          where,
          fix: 'Let the command end faster.',
        });
      case 'failed to start':
        return new CdcError('PLUGIN_FAILED', `The command cannot be run: ${ended.error.message}.`, {
          where,
          fix: 'Check that the program exists and may be executed.',
          cause: ended.error,
        });
      case 'signal':
        return new CdcError('PLUGIN_FAILED', `The command was killed by ${ended.signal}.`, {
          where,
          fix: 'Look at its output in the log.',
        });
      case 'exit':
        return ended.code === 0
          ? null
          : new CdcError('PLUGIN_FAILED', `The command ended with exit code ${ended.code}.`, {
              where,
              fix: 'Look at its output in the log.',
            });
    }
  }
}
