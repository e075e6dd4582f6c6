// Every error code with a paragraph for the operator. The reference page is generated from this list, and a test proves
// that each code thrown is listed and each listed code is thrown.

export const ERROR_CODES = {
  // -- configuration (exit 2) --
  CONFIG_FILE_UNREADABLE:
    'A configuration file or folder cannot be read: it is missing, not permitted, or no file matches the pattern. Nothing was started.',
  CONFIG_EMPTY: 'The configuration holds no pipeline: the file is empty, or all of its documents are.',
  CONFIG_YAML_SYNTAX: 'The file is not valid YAML 1.2. The line and column point at the place where the parser stopped.',
  CONFIG_DUPLICATE_KEY: 'A key stands twice in the same mapping. One of the two would be lost, so neither is used.',
  CONFIG_ALIAS_LIMIT: 'Anchors and aliases expand to more nodes than allowed. This is a hostile or broken file.',
  CONFIG_VARIABLE_MISSING: 'A `${VAR}` has no value and no default. All missing ones are reported together.',
  CONFIG_SECRET_FILE: 'A `${file:…}` cannot be read.',
  CONFIG_UNKNOWN_KEY: 'A key is not known at this place. Keys are strict, because a misspelt key would silently do nothing.',
  CONFIG_MISSING_KEY: 'A required key is missing.',
  CONFIG_WRONG_TYPE: 'A value has the wrong type or form.',
  CONFIG_INVALID_VALUE:
    'A value has the right type but is not allowed: out of range, not one of the choices, or in conflict with another key.',
  CONFIG_INVALID_DURATION: 'A duration cannot be read. Write a number with a unit: `200ms`, `30s`, `5m`, `1h`, `7d`.',
  CONFIG_INVALID_SIZE: 'A size cannot be read. Write a number with a unit: `64KiB`, `10MB`, `10GiB`.',
  CONFIG_INVALID_CRON: 'A cron pattern or time zone cannot be read. Patterns have five fields, or six with seconds first.',
  CONFIG_UNKNOWN_TYPE: 'No adapter or plugin has this type name.',
  CONFIG_TYPE_NOT_AVAILABLE: 'The type is known and its keys are accepted, but this version cannot run it yet.',
  CONFIG_FEATURE_NOT_AVAILABLE: 'The key is known, but this version cannot do yet what it asks for. It stops instead of ignoring the key.',
  CONFIG_NO_EFFECT: 'A key is allowed here but changes nothing. A warning: the pipeline runs.',
  CONFIG_DUPLICATE_NAME: 'Two pipelines, sources or destinations have the same name; their positions would be mixed up.',
  // -- environment (exit 3) --
  DEPENDENCY_MISSING: 'An optional package that this pipeline needs is not installed. The fix line holds the command.',
  // -- state --
  STATE_LOCKED: 'Another process holds the lease of this pipeline. Only one may run it; the second waits as a standby or stops.',
  STATE_FENCED: 'This process has lost its lease: another one has taken over. It stopped writing at once.',
  STATE_CORRUPT: 'The state file is damaged. It is never reset silently, because positions would be lost with it.',
  STATE_VERSION: 'The state file was written by a newer version.',
  STATE_UNAVAILABLE: 'The state file cannot be opened or written: no permission, no space, or locked by another program.',
  STATE_LOST:
    'The source or a destination has been used by this pipeline before, but the state knows nothing of it. Resuming would be guessing.',
  STATE_MOVE_REFUSED:
    'Points cannot be moved, or state cannot be forgotten, as asked: what would follow is not what was meant. Nothing was changed.',
  LOG_UNAVAILABLE: 'The change log on disk cannot be read or written.',
  LOG_CORRUPT: 'A record of the change log on disk is damaged.',
  LOG_REPLAY_REFUSED:
    'A replay cannot be done as asked: rows would end older than they are, or the events are not there. Nothing was sent.',
  STATE_LOG_GAP: 'A lane needs events which the change log no longer holds.',
  // -- source --
  SOURCE_UNREACHABLE: 'The source cannot be reached.',
  SOURCE_FORBIDDEN: 'The source refuses the login or a privilege is missing.',
  SOURCE_SNAPSHOT_REFUSED: 'What was asked of the snapshot of tables cannot be done. Nothing was stored or begun.',
  SOURCE_MISCONFIGURED: 'The source lacks something that capture needs: a table, a column, a setting.',
  SOURCE_POSITION_GONE: 'The source no longer holds the position that the pipeline must resume from. Continuing would leave a gap.',
  SOURCE_HISTORY_DIVERGED:
    'The source is another system than the one that the stored position belongs to, or its history has branched off before that position. The position means nothing there.',
  SOURCE_IN_USE: 'Another process reads from the source in our place, and does not end. Two would take changes from each other.',
  SOURCE_DATA_INVALID: 'The source sent data that cannot be decoded.',
  SOURCE_FAILED: 'Reading from the source failed.',
  // -- destination --
  DESTINATION_UNREACHABLE: 'The destination cannot be reached. Required destinations are tried again until they answer.',
  DESTINATION_FORBIDDEN: 'The destination refuses the login or a privilege is missing.',
  DESTINATION_MISCONFIGURED: 'The destination lacks something that delivery needs: a table, a column, a folder.',
  DESTINATION_FENCED: 'Another, newer run of this pipeline writes to the destination. This one stopped without writing.',
  DESTINATION_OUTCOME_UNKNOWN: 'The connection broke while a commit was under way. The stored point is read back to find out.',
  DESTINATION_POSITION_LOST: 'The destination held a point before and holds none now: it was emptied or replaced.',
  DESTINATION_FULL: 'The destination has no space left.',
  DESTINATION_EVENT_REJECTED:
    'The destination refuses this event for good: a constraint, a type, a size. It goes to the dead letter queue.',
  DESTINATION_ROW_MISSING: 'An event with only some of the columns met no row to update. It goes to the dead letter queue.',
  DESTINATION_SCHEMA_FROZEN:
    'A table at the source is not what its target can take, and `schema_evolution` freezes it. The lane stopped before the first such event; nothing is lost.',
  DESTINATION_HANGS:
    'The destination neither answered a write in time nor ended it when it was told to. Sending more could overtake it, so the pipeline stops.',
  DESTINATION_FAILED: 'Writing to the destination failed.',
  // -- schema registry --
  REGISTRY_UNAVAILABLE:
    'The schema registry cannot be reached, is overloaded, or answers what a registry would not. Tried again until it answers; events wait.',
  REGISTRY_FORBIDDEN: 'The schema registry refuses the login, or the login may not use a subject, or its certificate is not trusted.',
  REGISTRY_SCHEMA_UNKNOWN:
    'The schema registry has no schema with this id, or no such subject or version. A message that names it cannot be read: it goes to the dead letter queue.',
  REGISTRY_SCHEMA_INCOMPATIBLE:
    'The schema registry refuses a schema: it does not fit the earlier versions of its subject, or is not valid. `on_schema_error` says whether the events wait, go to the dead letter queue, or stop the lane.',
  // -- plugins --
  PLUGIN_LOAD_FAILED: 'A plugin module cannot be loaded, or does not export what it should.',
  PLUGIN_FAILED: 'A plugin threw. The events it was working on go to the dead letter queue.',
  PLUGIN_TIMEOUT: 'An awaited plugin did not answer in time.',
  PLUGIN_STUCK: 'A plugin blocks the process: it neither returned nor gave way. The watchdog ended the process.',
  PLUGIN_CONTRACT: 'A plugin or adapter broke its contract, for example by returning something that is not an event.',
  // -- delivery --
  DLQ_UNAVAILABLE: 'The dead letter queue cannot be written. The lane stops: an event that cannot be parked must not be dropped.',
  DLQ_KEY_PARKED:
    'An earlier event with the same key is in the dead letter queue. This one waits there behind it, so that both can be sent again in order.',
  DLQ_NOT_READABLE:
    'The dead letter queue is a destination: letters are sent there and cannot be read back by the commands. Look at them there.',
  DLQ_LETTER_UNKNOWN: 'No letter of the pipeline has this id, or several begin with it.',
  DLQ_KEY_MISSING: 'A letter holds columns encrypted, and the queue has no key to open them.',
  DLQ_KEY_WRONG: 'The key of the dead letter queue does not open the encrypted columns of a letter.',
  DLQ_COLUMNS_REMOVED:
    'A letter was written without columns that a transformer hides, because the queue had no key. It cannot be replayed.',
  DLQ_SUPERSEDED: 'A letter was not replayed: newer events of its key may have been delivered since, which it would undo.',
  DLQ_NOT_REPLAYABLE: 'A letter cannot be replayed: what failed is not there any more, or its stage has no way back in.',
  DLQ_BUSY:
    'A running pipeline cannot send or remove dead letters just now: the destination is busy, is ending, or does so already. Nothing was lost.',
  DLQ_TOO_MANY_KEYS:
    'More keys have events in the dead letter queue than can be kept in order. The lane stops rather than mix up their order.',
  AUDIT_CHAIN_BROKEN: 'The audit log was changed after it was written, or a part is missing.',
  // -- control --
  CONTROL_UNREACHABLE: 'No running pipeline answers on the control socket.',
  CONTROL_BAD_REQUEST: 'A request on the control socket is not understood: bad JSON, too long, or an unknown command. Nothing was done.',
  HEALTH_PORT_UNAVAILABLE: 'The health server cannot listen on its host and port. Nothing was started.',
  USAGE_INVALID: 'The command line is not understood: an unknown command or option, or a wrong value. Nothing was started.',
  // -- our own bugs --
  INTERNAL_UNEXPECTED: 'A bug in cdc-run. Please report it with the log.',
} as const satisfies Record<string, string>;

export type ErrorCode = keyof typeof ERROR_CODES;
