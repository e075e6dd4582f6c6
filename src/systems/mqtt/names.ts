// Names that our destination writes and our source reads, as user properties of MQTT 5, and what text may stand there.
// https://docs.oasis-open.org/mqtt/mqtt/v5.0/os/mqtt-v5.0-os.html#_Toc3901010

export const KEY_PROPERTY = 'cdc_key',
  /** Of a key that is no plain text. */
  KEY_BASE64_PROPERTY = 'cdc_key_base64',
  ID_PROPERTY = 'cdc_id';

/** Control characters, and those that are none: a broker may cut the connection for them, again and again. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: those are what must not be there.
const REFUSED = /[\u0000-\u001f\u007f-\u009f\ufdd0-\ufdef]|[\p{Cs}\p{Noncharacter_Code_Point}]/u;

export const isPlain = (text: string): boolean => !REFUSED.test(text);

export const plainOf = (text: string): string => text.replace(new RegExp(REFUSED, 'gu'), '_');
