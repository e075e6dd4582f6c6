// Errors by which Node's TLS says that the other end is not who it should be, or that our own certificate is of no use.

export function isCertificateError(code: unknown): code is string {
  return typeof code === 'string' && /^(CERT_|ERR_TLS_|ERR_SSL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|CRL_|HOSTNAME_MISMATCH)/.test(code);
}

/**
 * What the peer has against the certificate that we show, or lack; `null`: it is another error.
 * `ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED` → `certificate required`
 */
export function complaintOf(code: unknown): string | null {
  const found = typeof code === 'string' ? /^ERR_SSL_\w+_ALERT_(\w*CERTIFICATE\w*|UNKNOWN_CA|ACCESS_DENIED)$/.exec(code) : null;
  return found === null ? null : (found[1] as string).toLowerCase().replaceAll('_', ' ');
}
