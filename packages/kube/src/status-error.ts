// A failure as the Kubernetes API says it: an Error that carries a meta/v1 Status.
import type { KindRef } from './kinds/kind.ts';
import type { Status, StatusCause } from './object.ts';

/** What a failure is about; `plural` is what Kubernetes prints (`deployments.apps "x" not found`). */
export type StatusSubject = Pick<KindRef, 'group' | 'plural'> & Partial<Pick<KindRef, 'kind'>>;

type FailureDetails = NonNullable<Status['details']>;

export class StatusError extends Error {
  readonly status: Status;

  constructor(status: Status, options?: ErrorOptions) {
    super(status.message ?? status.reason ?? 'the Kubernetes API answered with a failure', options);
    this.name = 'StatusError';
    this.status = status;
  }

  /** The HTTP status code. */
  get code(): number {
    return this.status.code ?? 500;
  }

  get reason(): string {
    return this.status.reason ?? 'Unknown';
  }

  static of(code: number, reason: string, message: string, details?: FailureDetails): StatusError {
    return new StatusError(failure(code, reason, message, details));
  }

  static notFound(subject: StatusSubject, name: string): StatusError {
    return about(404, 'NotFound', subject, name, `${qualified(subject)} "${name}" not found`);
  }

  static alreadyExists(subject: StatusSubject, name: string): StatusError {
    return about(409, 'AlreadyExists', subject, name, `${qualified(subject)} "${name}" already exists`);
  }

  static conflict(subject: StatusSubject, name: string, why?: string): StatusError {
    // Kubernetes' own words (registry.OptimisticLockErrorMsg): clients and people search for them.
    const reason = why ?? 'the object has been modified; please apply your changes to the latest version and try again';
    return about(
      409,
      'Conflict',
      subject,
      name,
      `Operation cannot be fulfilled on ${qualified(subject)} "${name}": ${reason}`,
    );
  }

  /** 422: the object is well-formed but its values are not acceptable. */
  static invalid(subject: Pick<KindRef, 'group' | 'kind'>, name: string, causes: readonly StatusCause[]): StatusError {
    const texts = causes.map((cause) =>
      cause.field === undefined ? `${cause.message}` : `${cause.field}: ${cause.message}`,
    );
    const what = subject.group === '' ? subject.kind : `${subject.kind}.${subject.group}`;
    const joined = texts.length === 1 ? (texts[0] as string) : `[${texts.join(', ')}]`;
    return StatusError.of(422, 'Invalid', `${what} "${name}" is invalid: ${joined}`, {
      name,
      kind: subject.kind,
      ...(subject.group === '' ? {} : { group: subject.group }),
      causes: [...causes],
    });
  }

  static badRequest(message: string): StatusError {
    return StatusError.of(400, 'BadRequest', message);
  }

  static unauthorized(): StatusError {
    return StatusError.of(401, 'Unauthorized', 'Unauthorized');
  }

  static forbidden(subject: StatusSubject, name: string, why: string): StatusError {
    return about(403, 'Forbidden', subject, name, `${qualified(subject)} "${name}" is forbidden: ${why}`);
  }

  /** An admission plugin's refusal, in the words in which Kubernetes passes on a webhook's. */
  static denied(plugin: string, message: string): StatusError {
    return StatusError.of(403, 'Forbidden', `admission webhook "${plugin}" denied the request: ${message}`);
  }

  /** The cause lets controllers tell this from a lack of rights: they stop instead of trying again. */
  static namespaceTerminating(subject: StatusSubject, name: string, namespace: string): StatusError {
    const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
    const causes = [
      {
        reason: 'NamespaceTerminating',
        message: `namespace ${namespace} is being terminated`,
        field: 'metadata.namespace',
      },
    ];
    return StatusError.of(403, 'Forbidden', `${qualified(subject)} "${name}" is forbidden: ${why}`, {
      name,
      kind: subject.plural,
      ...(subject.group === '' ? {} : { group: subject.group }),
      causes,
    });
  }

  static methodNotAllowed(message: string): StatusError {
    return StatusError.of(405, 'MethodNotAllowed', message);
  }

  static notAcceptable(message: string): StatusError {
    return StatusError.of(406, 'NotAcceptable', message);
  }

  static unsupportedMediaType(message: string): StatusError {
    return StatusError.of(415, 'UnsupportedMediaType', message);
  }

  static tooLarge(message: string): StatusError {
    return StatusError.of(413, 'RequestEntityTooLarge', message);
  }

  /** 410: the revision asked for is no longer kept; list again. */
  static expired(message: string): StatusError {
    return StatusError.of(410, 'Expired', message);
  }

  static timeout(message: string): StatusError {
    return StatusError.of(504, 'Timeout', message);
  }

  static unavailable(message: string): StatusError {
    return StatusError.of(503, 'ServiceUnavailable', message);
  }

  static internal(message: string, options?: ErrorOptions): StatusError {
    return new StatusError(failure(500, 'InternalError', `Internal error occurred: ${message}`), options);
  }
}

/** True for a StatusError with this reason (`isStatus(error, 'NotFound')`). */
export function isStatus(error: unknown, reason: string): error is StatusError {
  return error instanceof StatusError && error.reason === reason;
}

function qualified(subject: StatusSubject): string {
  return subject.group === '' ? subject.plural : `${subject.plural}.${subject.group}`;
}

function about(code: number, reason: string, subject: StatusSubject, name: string, message: string): StatusError {
  // In these answers Kubernetes puts the resource, not the kind, in details.kind.
  return StatusError.of(code, reason, message, {
    name,
    kind: subject.plural,
    ...(subject.group === '' ? {} : { group: subject.group }),
  });
}

function failure(code: number, reason: string, message: string, details?: FailureDetails): Status {
  return {
    apiVersion: 'v1',
    kind: 'Status',
    metadata: {},
    status: 'Failure',
    message,
    reason,
    ...(details === undefined ? {} : { details }),
    code,
  };
}
