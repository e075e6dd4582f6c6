// What starting costs: CPU of `cdc-run --help` and of `cdc-run validate` against bare Node, medians of alternating runs.

import { join } from 'node:path';
import { cpuOfCommand, median, round } from '../lib/cpu.ts';

const root = join(import.meta.dirname, '../..');
const bin = join(root, 'bin/cdc-run.js');
const runs: Record<'bare' | 'help' | 'validate', number[]> = { bare: [], help: [], validate: [] };
for (let i = 0; i < 11; i++) {
  runs.bare.push(cpuOfCommand(process.execPath, ['-e', '0']));
  runs.help.push(cpuOfCommand(process.execPath, [bin, '--help']));
  runs.validate.push(cpuOfCommand(process.execPath, [bin, 'validate', join(root, 'pipelines/orders.yaml')]));
}
const bare = median(runs.bare);
const help = median(runs.help) / bare;
const result = {
  scenario: 'start',
  help_over_bare_node: round(help, 2),
  budget: 3,
  validate_over_bare_node: round(median(runs.validate) / bare, 2),
};
console.log(JSON.stringify(result));
if (help > result.budget) process.exitCode = 1;
