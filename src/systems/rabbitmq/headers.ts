// Names that our destination writes and our source reads.

/** The key of the record: a header, since the protocol has no place for it. */
export const KEY_HEADER = 'cdc_key';
