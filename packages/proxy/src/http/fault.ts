// What can be wrong with a message: the answer it deserves and the name Envoy logs for it.

/** `status` and `details` are for a request; a response with a fault is a `protocol error` whatever it says. */
export interface MessageFault {
  readonly status: number;
  /** RESPONSE_CODE_DETAILS (Envoy: Http1ResponseCodeDetails, StreamInfo::ResponseCodeDetails). */
  readonly details: string;
  /** For people: what was found. */
  readonly why: string;
}

function fault(status: number, details: string, why: string): MessageFault {
  return { status, details, why };
}

export const Fault = {
  requestLine: fault(400, 'http1.codec_error', 'the request line is not METHOD SP TARGET SP HTTP/1.1'),
  statusLine: fault(400, 'http1.codec_error', 'the status line is not HTTP/1.1 SP CODE SP REASON'),
  lineEnd: fault(400, 'http1.codec_error', 'a line does not end with CR LF'),
  fieldName: fault(400, 'http1.codec_error', 'a field name is empty, is folded, or has a character that no token has'),
  fieldValue: fault(400, 'http1.invalid_characters', 'a field value has a control character'),
  target: fault(400, 'http1.invalid_url', 'the request target is neither a path, an http URL nor *'),
  fragment: fault(400, 'path_normalization_failed', 'the request target has a fragment or an escape that is no escape'),
  authority: fault(400, 'invalid_authority', 'the Host field is not a host with an optional port'),
  missingHost: fault(400, 'missing_host_header', 'the request has no Host field'),
  duplicateHost: fault(400, 'http1.codec_error', 'the request has more than one Host field'),
  contentLength: fault(400, 'http1.codec_error', 'the Content-Length field is not one decimal number'),
  lengthAndChunked: fault(
    400,
    'http1.content_length_and_chunked_not_allowed',
    'both Content-Length and Transfer-Encoding',
  ),
  transferEncoding: fault(501, 'http1.invalid_transfer_encoding', 'a transfer coding other than chunked alone'),
  chunkedInHttp10: fault(400, 'http1.transfer_encoding_not_allowed', 'Transfer-Encoding in an HTTP/1.0 message'),
  nominated: fault(400, 'http1.connection_header_rejected', 'the Connection field names a field it may not'),
  chunk: fault(400, 'http1.codec_error', 'a chunk is not SIZE CR LF DATA CR LF'),
  trailer: fault(400, 'http1.codec_error', 'a trailer field is malformed or is one that no trailer may be'),
  upgradeBody: fault(400, 'http1.body_disallowed', 'a request to upgrade has a body'),
  headTooLarge: fault(431, 'http1.headers_too_large', 'the head is larger than the listener allows'),
  tooManyFields: fault(431, 'http1.too_many_headers', 'the head has more fields than the listener allows'),
  lowVersion: fault(426, 'low_version', 'HTTP/1.0 is not enabled on this listener'),
  upgradeRefused: fault(403, 'upgrade_failed', 'the listener does not carry this upgrade or CONNECT'),
} as const satisfies Record<string, MessageFault>;
