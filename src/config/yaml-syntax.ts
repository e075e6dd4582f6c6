// What the YAML parser's error codes mean, in words for people, and what usually helps.

interface Sentence {
  readonly message: string;
  readonly fix: string;
}

const QUOTE = 'Put quotes around the value.';

export const SYNTAX: { readonly [code: string]: Sentence } = {
  TAB_AS_INDENT: { message: 'a tab is used for indentation', fix: 'Indent with spaces.' },
  BAD_INDENT: {
    message: 'the indentation does not fit',
    fix: 'Begin all keys of a mapping in the same column, and close every `[` and `{`.',
  },
  MISSING_CHAR: { message: 'a quote, a bracket or a space is missing before this place', fix: 'Close what was opened above.' },
  BLOCK_AS_IMPLICIT_KEY: { message: 'a second `: ` stands on the line', fix: 'Put quotes around a value that holds `: `.' },
  BLOCK_IN_FLOW: { message: 'indented keys stand inside of brackets', fix: 'Write the keys in braces, or leave the brackets out.' },
  BAD_SCALAR_START: { message: 'a value without quotes cannot begin with this character', fix: QUOTE },
  BAD_DQ_ESCAPE: {
    message: 'an escape in the double-quoted text is not known',
    fix: 'Write `\\\\` for a backslash, or use single quotes.',
  },
  MULTILINE_IMPLICIT_KEY: { message: 'a line has no `:`', fix: 'Write `key: value`.' },
  KEY_OVER_1024_CHARS: { message: 'a key is longer than 1,024 characters', fix: 'Check the quotes above.' },
  UNEXPECTED_TOKEN: {
    message: 'something stands here that does not belong to the line',
    fix: 'Put quotes around values with special characters, and check the lines above.',
  },
  RESOURCE_EXHAUSTION: { message: 'the file nests too deeply', fix: 'Check the brackets.' },
  TAG_RESOLVE_FAILED: { message: 'the tag is not known', fix: 'Remove the tag, or put quotes around a value that begins with `!`.' },
  BAD_ALIAS: { message: 'an anchor or alias has a bad name', fix: 'Put quotes around a value that begins with `*` or `&`.' },
  BAD_DIRECTIVE: { message: 'the `%` line is not a directive that is known', fix: 'Remove the line.' },
  MULTIPLE_ANCHORS: { message: 'a value has two anchors', fix: 'Remove one of the two.' },
};
