// What a registry's answers mean. Messages hold its address and its own words, never a header.
// https://docs.confluent.io/platform/current/schema-registry/develop/api.html#errors

import { CdcError } from '../../sdk/index.ts';
import { isCertificateError } from '../../util/certificate-error.ts';
import type { RegistryRequest, RegistryResponse } from './transport.ts';

/** Of its words, which may quote a whole schema. */
const SHOWN_CHARACTERS = 300;

export interface RegistryPlace {
  /** `destination "bus"`. */
  readonly where: string;
  /** Scheme, host and port. */
  readonly origin: string;
}

export function unavailable({ where, origin }: RegistryPlace, what: string, cause?: unknown): CdcError {
  return new CdcError('REGISTRY_UNAVAILABLE', `The schema registry at ${origin} ${what}.`, {
    where,
    fix: 'Start the registry, or correct schema_registry.url. Nothing is lost: events wait.',
    retriable: true,
    cause,
  });
}

/** Connection errors by their code: the text of some has the whole certificate. */
export function noAnswer(place: RegistryPlace, cause: unknown): CdcError {
  const code = (cause as NodeJS.ErrnoException | null)?.code;
  return unavailable(place, `cannot be reached: ${code ?? (cause instanceof Error ? cause.message : String(cause))}`, cause);
}

/** Not the registry that was meant, or not with this certificate: trying again is of no use. `null`: the connection failed in another way. */
export function distrust({ where, origin }: RegistryPlace, cause: unknown): CdcError | null {
  const code = (cause as NodeJS.ErrnoException | null)?.code;
  if (!isCertificateError(code)) return null;
  return new CdcError('REGISTRY_FORBIDDEN', `The certificate of the schema registry at ${origin} is not trusted: ${code}.`, {
    where,
    fix: 'Correct schema_registry.ca, or the name in schema_registry.url.',
    cause,
  });
}

/** May another try go better at once? */
export const isOverloaded = ({ status }: RegistryResponse): boolean => status >= 500 || status === 429 || status === 408;

/** An answer that is neither what was asked for nor a plain 404. */
export function refusal(place: RegistryPlace, { method, path }: RegistryRequest, { status, body }: RegistryResponse): CdcError {
  const request = `${method} ${path}`,
    words = messageOf(body);
  switch (status) {
    case 401:
    case 403:
      return new CdcError('REGISTRY_FORBIDDEN', `The schema registry at ${place.origin} refuses ${request}: ${status} ${words}`, {
        where: place.where,
        fix: 'Correct the login in schema_registry, or grant it the subjects.',
      });
    case 409:
    case 422:
      return incompatible(place, `${request}: ${words}`);
    default:
      return unavailable(place, `answers ${request} with ${status} ${words}`);
  }
}

export function incompatible({ where, origin }: RegistryPlace, what: string): CdcError {
  return new CdcError('REGISTRY_SCHEMA_INCOMPATIBLE', `The schema registry at ${origin} does not take a schema: ${what}`, {
    where,
    fix: "Loosen the subject's compatibility, use another subject, or undo the change of the table.",
  });
}

export function unknown({ where, origin }: RegistryPlace, what: string): CdcError {
  return new CdcError('REGISTRY_SCHEMA_UNKNOWN', `The schema registry at ${origin} knows no ${what}.`, {
    where,
    fix: 'Register the schema, or correct schema_registry.',
  });
}

export function messageOf(body: string): string {
  let words = body;
  try {
    const { message } = JSON.parse(body) as { message?: unknown };
    if (typeof message === 'string') words = message;
  } catch {
    /* no JSON: an error page */
  }
  const line = words.replace(/\s+/g, ' ').trim();
  return line.length > SHOWN_CHARACTERS ? `${line.slice(0, SHOWN_CHARACTERS)}…` : line;
}
