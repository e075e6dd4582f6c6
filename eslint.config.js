// What the compiler and the formatter cannot say: promises that nobody awaits, time and chance outside their ports, and
// the arrows between the parts (docs/architecture.md). The message of each boundary says where the thing belongs.

import tseslint from 'typescript-eslint';

const TIME = [
  { object: 'Date', property: 'now', message: 'Time comes in through Clock (src/sdk/ports.ts).' },
  { object: 'Math', property: 'random', message: 'Chance comes in through Random (src/sdk/ports.ts).' },
];
const TIMERS = ['setTimeout', 'setInterval'].map((name) => ({ name, message: 'Waiting goes through Clock.sleep (src/sdk/ports.ts).' }));

/** @param {string[]} groups @param {string} message */
const not = (groups, message) => ({ group: groups, message });
const ADAPTERS = not(
  ['**/sources/**', '**/destinations/**', '**/systems/**', '**/plugins/**'],
  'The core knows no adapter: the catalog names them, the SDK is their contract.',
);
const UPWARDS = not(
  ['**/cli/**', '**/http/**', '../catalog.ts', '../../catalog.ts', '../../../catalog.ts', '**/config/**', '**/run.ts', '**/control/**'],
  'Arrows point one way: … ← engine ← catalog ← config ← cli.',
);
const ENGINE = not(
  ['**/engine/**'],
  'Adapters, plugins and the parts below the engine do not know it. Types that both need belong in src/sdk.',
);

const ADAPTER = [
  ENGINE,
  UPWARDS,
  not(
    ['**/state/**', '**/log/**', '**/observability/**'],
    'An adapter sees the SDK, envelope, formats, snapshot, streaming, polling, relational and util only.',
  ),
  not(
    ['../../sources/*', '../../destinations/*', '../../../sources/**', '../../../destinations/**'],
    'An adapter never imports another one: move what both need to src/systems/<system>, src/util or src/formats.',
  ),
];
/** @param {string[]} own */
const OTHER_SYSTEMS = (own) =>
  not(['**/systems/*/*', ...own], 'src/systems/<system> is for the source and the destination of that system only.');

/** @param {string[]} files @param {ReturnType<typeof not>[]} patterns */
const boundary = (files, patterns, ignores = []) => ({ files, ignores, rules: { 'no-restricted-imports': ['error', { patterns }] } });

export default tseslint.config(
  { ignores: ['dist', 'node_modules', 'bin', '*.config.js', 'coverage', '.services', '.cdc', 'test/fixtures'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.base],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { arguments: false, properties: false } }],
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/return-await': ['error', 'error-handling-correctness-only'],
      'no-eval': 'error',
      'no-new-func': 'error',
      'no-implied-eval': 'error',
    },
  },
  {
    files: ['src/**/*.ts', 'plugins/**/*.ts'],
    ignores: ['src/sdk/ports.ts', 'src/sdk/testing/**'],
    rules: { 'no-restricted-properties': ['error', ...TIME], 'no-restricted-globals': ['error', ...TIMERS], 'no-console': 'error' },
  },
  boundary(
    ['src/util/**/*.ts'],
    [ENGINE, UPWARDS, ADAPTERS, not(['**/sdk/**'], 'util holds helpers without domain words: they know nothing of the SDK.')],
  ),
  boundary(
    ['src/sdk/**/*.ts'],
    [
      ENGINE,
      UPWARDS,
      ADAPTERS,
      not(['**/state/**', '**/log/**', '**/envelope/**', '**/formats/**'], 'The SDK is the lowest layer but util.'),
    ],
    ['src/sdk/testing/**'],
  ),
  boundary(['src/{envelope,formats,snapshot,log,state,schema-tracking,dead-letters}/**/*.ts'], [UPWARDS, ADAPTERS]),
  boundary(
    ['src/{polling,streaming}/**/*.ts'],
    [
      ENGINE,
      UPWARDS,
      ADAPTERS,
      not(['**/state/**', '**/log/**', '**/envelope/**', '**/formats/**'], 'What sources of SQL tables share knows the SDK and util only.'),
    ],
  ),
  boundary(
    ['src/relational/**/*.ts'],
    [
      ENGINE,
      UPWARDS,
      ADAPTERS,
      not(
        ['**/state/**', '**/log/**', '**/envelope/**', '**/formats/**', '**/snapshot/**'],
        'What destinations of SQL tables share knows the SDK and util only.',
      ),
    ],
  ),
  boundary(['src/engine/**/*.ts'], [UPWARDS, ADAPTERS]),
  boundary(['src/sources/**/*.ts', 'src/destinations/**/*.ts', 'src/hooks/**/*.ts'], [...ADAPTER, OTHER_SYSTEMS([])]),
  ...['kafka', 'mqtt', 'mysql', 'nats', 'postgresql', 'rabbitmq', 'redis'].map((system) =>
    boundary([`src/{sources,destinations,systems}/${system}{,-*}/**/*.ts`], [...ADAPTER, OTHER_SYSTEMS([`!**/systems/${system}/*`])]),
  ),
  boundary(
    ['src/debezium/**/*.ts'],
    [
      ENGINE,
      UPWARDS,
      ADAPTERS,
      not(
        ['**/state/**', '**/log/**', '**/envelope/**', '**/formats/**'],
        "The translation of Debezium's properties is pure: it knows keys, not what they do.",
      ),
    ],
  ),
  // It reads topics, too.
  boundary(['src/sources/debezium/**/*.ts'], [...ADAPTER, OTHER_SYSTEMS(['!**/systems/kafka/*'])]),
  boundary(
    ['plugins/**/*.ts', 'pipelines/**/*.ts'],
    [not(['../../../src/**', '../../src/**', '**/src/**'], "A plugin imports 'cdc-run/sdk' only.")],
  ),
);
