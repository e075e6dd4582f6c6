// Through a broker that ends and comes back, over connections that are cut. Mosquitto acknowledges what it has in memory, and writes
// that down when it is told to end, or now and then: a kill of it loses what publishers have handed over since, whoever they are. What
// was written down it must not lose.

import { setTimeout as sleep } from 'node:timers/promises';
import { describe, it } from 'vitest';
import { MqttPlace, skipReason } from '../helpers/mqtt.ts';
import { OwnMosquitto } from '../helpers/own-mosquitto.ts';
import { PostgresProxy } from '../helpers/postgres-proxy.ts';
import { diceOf } from '../simulation/random.ts';
import { expectAll, expectRelayed, idsIn, type RelayBroker } from './relay.ts';
import { chaosFolder, killsOf, SEED, TIMEOUT_MS, Victim } from './victim.ts';

const noBroker = (await skipReason()) !== null;
const MESSAGES = 1000;

/** Of a component, as YAML has it. */
function entry(broker: string, keys: string): string {
  const { port, username, password } = new URL(broker);
  return `{type: mqtt, broker: "mqtt://127.0.0.1:${port}", username: ${username}, password: ${password}, ${keys}}`;
}

async function relayed(qos: 1 | 2): Promise<void> {
  const work = chaosFolder(),
    dice = diceOf(SEED + 40 + qos);
  await using server = await OwnMosquitto.start();
  await using proxy = await PostgresProxy.start(server.url);
  const via = proxy.through(server.url);
  let isDown = false;
  const broker: RelayBroker = {
    destination: entry(via, `topic: "chaos/{table}", qos: ${qos}, envelope: plain`),
    source: entry(via, `topic: "chaos/#", qos: ${qos}, client_id: chaos, envelope: plain, receive_maximum: 200, idle_timeout: 1s`),
    ready: () => Promise.resolve(),
    stop: async () => {
      isDown = dice.chance(1 / 2);
      await (isDown ? server.end('SIGTERM') : proxy.close());
    },
    start: async () => {
      await sleep(dice.next() * 200);
      await (isDown ? server.start() : proxy.open());
    },
  };
  await expectRelayed(work, broker, killsOf(4), 30 + qos);
}

async function writtenDown(qos: 1 | 2): Promise<void> {
  const work = chaosFolder();
  await using broker = await OwnMosquitto.start(['autosave_interval 1']);
  await using place = await MqttPlace.open(broker.url);
  const client = await place.session(`${place.prefix}/#`, 5, qos),
    keys = `topic: "${place.prefix}/#", qos: ${qos}, client_id: ${client}, key_fields: [id], receive_maximum: 100, idle_timeout: 1s`;
  work.write(
    'out.yaml',
    `
name: chaos_out
source: ${entry(broker.url, keys)}
destination: {type: file, path: out.ndjson, envelope: plain}
sync: {mode: continuous, batch_size: 20, checkpoint_interval: 100ms}
state: {path: out.db}
error_handling: {retry: {initial_delay: 20ms, max_delay: 200ms}}
`,
  );
  const victim = new Victim(work, ['out.yaml'], 'out.ndjson', 50 + qos),
    { dice } = victim,
    kills = killsOf(4);
  let last = 0;
  for (let kill = 1; kill <= kills; kill++) {
    // There is always something left to deliver.
    const ids = Array.from({ length: MESSAGES }, () => ++last);
    await Promise.all(ids.map((id) => place.publish('rows', JSON.stringify({ id }), {}, qos)));
    await broker.save();
    const run = victim.start();
    await victim.moment(run, 'flow', 400);
    await broker.end('SIGKILL');
    if (dice.chance(1 / 2)) run.child.kill('SIGKILL');
    await broker.start();
    await sleep(dice.next() * 500);
    run.child.kill('SIGKILL');
    const { signal, code, out, err } = await run.ended;
    if (signal !== 'SIGKILL') throw new Error(`ended with ${code} before it was killed: ${out}${err}`);
  }
  await victim.finish('--until-caught-up');
  expectAll(idsIn(work), last, `${kills} kills of the broker`);
}

describe.skipIf(noBroker).each([1, 2] as const)('QoS %i', (qos) => {
  it('file → mqtt → file loses nothing while a broker restarts and connections are cut', { timeout: TIMEOUT_MS }, () => relayed(qos));
  it('mqtt → file loses nothing that the broker had written down, whoever is killed', { timeout: TIMEOUT_MS }, () => writtenDown(qos));
});
