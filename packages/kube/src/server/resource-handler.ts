// One request for objects of one kind: the verb, the subresource, and who does it.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { conform } from '../kinds/conform.ts';
import { required } from '../kinds/names.ts';
import { projectRequestRow, tokenRequestSchema } from '../kinds/rows/reviews.ts';
import { RBAC_GROUP } from '../kinds/rows/role.ts';
import type { KubeObject } from '../object.ts';
import { StatusError } from '../status-error.ts';
import type { Access } from './access/access.ts';
import { refuseEscalation } from './access/escalation.ts';
import { answerReview } from './access/reviews.ts';
import { MASTERS, type User } from './access/user.ts';
import { APPLY_PATCH, decodeBody, readBody } from './body.ts';
import type { ServerContext, Target } from './context.ts';
import { Deleter, deleteOptionsOf } from './deleter.ts';
import { parseMediaType, type Wanted, wanted } from './media-type.ts';
import { metricsList, metricsOf } from './metrics.ts';
import { decodeObject, schemaOf } from './object-check.ts';
import { applyPatchTo, type PatchType } from './patch.ts';
import { isWatch } from './path.ts';
import { bind, logs } from './pod-subresources.ts';
import { requestProject } from './project-request.ts';
import { Reader } from './reader.ts';
import { sendObject } from './reply.ts';
import { scaleOf, scaleSchema, withScale } from './scale.ts';
import { watch } from './watch.ts';
import { type ApplyOptions, optionsOf, type WriteOptions } from './write-options.ts';
import { Writer } from './writer.ts';

interface Call {
  readonly target: Target;
  readonly query: URLSearchParams;
  readonly user: User;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly form: Wanted;
  readonly warnings: string[];
}

type NamedTarget = Target & { readonly name: string };

const PATCH_TYPES: Readonly<Record<string, PatchType>> = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
};

export class ResourceHandler {
  readonly #context: ServerContext;
  readonly #access: Access;
  readonly #reader: Reader;
  readonly #writer: Writer;
  readonly #deleter: Deleter;

  constructor(context: ServerContext, access: Access) {
    this.#context = context;
    this.#access = access;
    this.#reader = new Reader(context);
    this.#writer = new Writer(context);
    this.#deleter = new Deleter(context);
  }

  async handle(
    target: Target,
    query: URLSearchParams,
    user: User,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const call: Call = { target, query, user, request, response, form: wanted(request.headers.accept), warnings: [] };
    if (target.row.transient === true) return this.#answer(call);
    if (target.row.measured === true) return this.#measure(call);
    if (target.name === undefined) return this.#collection(call);
    const named = { ...target, name: target.name };
    if (target.subresource !== undefined) return this.#subresource(call, named, target.subresource);
    return this.#object(call, named);
  }

  async #collection(call: Call): Promise<void> {
    const { target, query, request, response, form } = call;
    switch (request.method) {
      case 'GET':
        if (isWatch(query)) return watch(this.#context, target, query, form, response);
        return this.#send(call, 200, this.#reader.shapeList(target, this.#reader.list(target, query), form, query));
      case 'POST': {
        if (target.row.namespaced && target.namespace === undefined) {
          throw StatusError.badRequest(
            `an object of kind ${target.row.kind} is created in a namespace: post to /namespaces/NAME/${target.row.plural}`,
          );
        }
        const created = await this.#writer.create(target, await this.#body(call), this.#options(call));
        return this.#send(call, 201, this.#reader.shapeOne(target, created, form, query));
      }
      case 'DELETE': {
        const options = deleteOptionsOf(await this.#body(call), query);
        const list = this.#reader.list(target, query);
        for (const { metadata } of list.items) {
          const one = {
            ...target,
            name: metadata?.name ?? '',
            ...(metadata?.namespace === undefined ? {} : { namespace: metadata.namespace }),
          };
          await this.#deleter.delete(one, options, call.warnings).catch(unlessGone);
        }
        return this.#send(call, 200, list);
      }
      default:
        throw notAllowed(request.method);
    }
  }

  /** An object that is created only to be answered. */
  async #answer(call: Call): Promise<void> {
    const { target, user, request } = call;
    const { row, version, namespace, name } = target;
    if (name !== undefined) throw StatusError.of(404, 'NotFound', 'the server could not find the requested resource');
    if (request.method !== 'POST') throw notAllowed(request.method);
    const options = this.#options(call);
    const body = await this.#body(call);
    const { object, causes } = decodeObject(row, version, body, options.fieldValidation, call.warnings);
    if (causes.length > 0) throw StatusError.invalid(row, object.metadata?.name ?? '', causes);
    const answer =
      row === projectRequestRow
        ? await requestProject(this.#writer, object, options)
        : answerReview(this.#access, user, object, namespace);
    this.#send(call, 201, answer);
  }

  /** An object that is made when it is asked for. */
  #measure(call: Call): void {
    const { target, query, request, form } = call;
    if (target.subresource !== undefined)
      throw StatusError.of(404, 'NotFound', 'the server could not find the requested resource');
    if (request.method !== 'GET' || isWatch(query)) throw notAllowed(request.method);
    if (target.name === undefined)
      this.#send(call, 200, this.#reader.shapeList(target, metricsList(this.#context, target, query), form, query));
    else {
      const found = metricsOf(this.#context, { ...target, name: target.name });
      this.#send(call, 200, this.#reader.shapeOne(target, found, form, query));
    }
  }

  async #object(call: Call, target: NamedTarget): Promise<void> {
    const { query, request, response, form } = call;
    switch (request.method) {
      case 'GET':
        if (isWatch(query)) return watch(this.#context, target, query, form, response);
        return this.#send(call, 200, this.#reader.shapeOne(target, this.#reader.get(target), form, query));
      case 'PUT': {
        const body = await this.#body(call);
        return this.#sendOne(call, await this.#writer.update(target, () => body, this.#options(call)));
      }
      case 'PATCH':
        return isApply(request) ? this.#apply(call, target) : this.#sendOne(call, await this.#patch(call, target));
      case 'DELETE': {
        const options = deleteOptionsOf(await this.#body(call), query);
        const deletion = await this.#deleter.delete(target, options, call.warnings);
        return this.#send(call, 200, deletion.gone ? deletion.status : deletion.object);
      }
      default:
        throw notAllowed(request.method);
    }
  }

  async #subresource(call: Call, target: NamedTarget, subresource: string): Promise<void> {
    const { query, request, response } = call;
    const { status, scale, log, binding, finalize, token } = target.row.subresources ?? {};
    const offered = { status, log, binding, finalize, token, scale: scale !== undefined };
    if (!(Object.hasOwn(offered, subresource) && offered[subresource as keyof typeof offered] === true)) {
      throw StatusError.of(404, 'NotFound', 'the server could not find the requested resource');
    }
    switch (`${request.method} ${subresource}`) {
      case 'GET log':
        return logs(this.#context, target, query, response);
      case 'POST binding':
        return this.#send(
          call,
          201,
          await bind(this.#context, target, await this.#body(call), this.#options(call).dryRun),
        );
      case 'POST token': {
        const account = this.#reader.get(target);
        const { value, mismatches } = conform(tokenRequestSchema, (await this.#body(call)) ?? {});
        for (const { path, expected, got } of mismatches)
          throw StatusError.badRequest(`a TokenRequest's ${path} must be of type ${expected}, not ${got}`);
        return this.#send(call, 201, this.#context.serviceAccountTokens.issue(account, value as KubeObject));
      }
      case 'GET scale':
        return this.#send(call, 200, this.#scale(target, this.#reader.get(target)));
      case 'PUT scale':
      case 'PATCH scale':
        return this.#changeScale(call, target);
      case 'GET status':
        return this.#sendOne(call, this.#reader.get(target));
      case 'PUT status':
      case 'PUT finalize': {
        const body = await this.#body(call);
        return this.#sendOne(call, await this.#writer.update(target, () => body, this.#options(call)));
      }
      case 'PATCH status':
        return isApply(request) ? this.#apply(call, target) : this.#sendOne(call, await this.#patch(call, target));
      case 'PATCH finalize':
        return this.#sendOne(call, await this.#patch(call, target));
      default:
        throw notAllowed(request.method);
    }
  }

  /** Server-side apply. */
  async #apply(call: Call, target: NamedTarget): Promise<void> {
    const { query, user, form } = call;
    if ((query.get('fieldManager') ?? '') === '')
      throw StatusError.invalid({ group: 'meta.k8s.io', kind: 'PatchOptions' }, '', [
        required('fieldManager', 'is required for apply patch'),
      ]);
    const force = query.get('force') === 'true';
    const { row, namespace, name } = target;
    const where = namespace === undefined ? {} : { namespace };
    const options: ApplyOptions = {
      ...this.#options(call),
      force,
      // Who may only change an object may not create it this way.
      requireCreate: () =>
        this.#access.require(user, { verb: 'create', group: row.group, resource: row.plural, ...where, name }),
    };
    const { object, created } = await this.#writer.apply(target, await this.#body(call), options);
    this.#send(call, created ? 201 : 200, this.#reader.shapeOne(target, object, form, query));
  }

  async #patch(call: Call, target: NamedTarget): Promise<KubeObject> {
    const type = patchTypeOf(call.request, target.row.decoding === 'native');
    const patch = await this.#body(call);
    const schema = schemaOf(target.row, target.version);
    return this.#writer.update(
      target,
      (current) => applyPatchTo(current as Record<string, unknown>, patch, type, schema),
      this.#options(call),
    );
  }

  #scale({ row }: Target, object: KubeObject): KubeObject {
    const paths = row.subresources?.scale;
    if (paths === undefined) throw StatusError.of(404, 'NotFound', 'the server could not find the requested resource');
    return scaleOf(object, paths);
  }

  /** A changed Scale is a change of the object's replicas, under all the rules of its kind. */
  async #changeScale(call: Call, { subresource: _, ...target }: NamedTarget): Promise<void> {
    const paths = target.row.subresources?.scale;
    if (paths === undefined) throw StatusError.of(404, 'NotFound', 'the server could not find the requested resource');
    const type = call.request.method === 'PATCH' ? patchTypeOf(call.request, true) : undefined;
    const body = await this.#body(call);
    const changed = await this.#writer.update(
      target,
      (current) => {
        const before = scaleOf(current, paths);
        const scale =
          type === undefined ? body : applyPatchTo(before as Record<string, unknown>, body, type, scaleSchema);
        return withScale(target.row, current, conform(scaleSchema, scale).value, paths);
      },
      { ...this.#options(call), subresource: 'scale' },
    );
    return this.#send(call, 200, scaleOf(changed, paths));
  }

  #options({ target, user, query, request, warnings }: Call): WriteOptions {
    const options = optionsOf(query, request.headers['user-agent'], warnings);
    const { group, plural } = target.row;
    if (group !== RBAC_GROUP || user.groups.includes(MASTERS)) return options;
    return { ...options, guard: (object) => refuseEscalation(this.#access, user, plural, object) };
  }

  async #body(call: Call): Promise<unknown> {
    return decodeBody(await readBody(call.request), call.request.headers['content-type']);
  }

  #sendOne(call: Call, object: KubeObject): void {
    this.#send(call, 200, this.#reader.shapeOne(call.target, object, call.form, call.query));
  }

  #send({ response, form, warnings }: Call, code: number, object: unknown): void {
    sendObject(response, code, object, form, warnings);
  }
}

const isApply = (request: IncomingMessage): boolean =>
  parseMediaType(request.headers['content-type'] ?? '').type === APPLY_PATCH;

function patchTypeOf(request: IncomingMessage, strategic: boolean): PatchType {
  const { type } = parseMediaType(request.headers['content-type'] ?? '');
  const found = PATCH_TYPES[type];
  if (found !== undefined && (found !== 'strategic' || strategic)) return found;
  const accepted = [...Object.keys(PATCH_TYPES), APPLY_PATCH].filter(
    (one) => strategic || PATCH_TYPES[one] !== 'strategic',
  );
  throw StatusError.unsupportedMediaType(
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
  );
}

function notAllowed(method: string | undefined): StatusError {
  return StatusError.methodNotAllowed(`the server does not allow the method ${method} on the requested resource`);
}

/** In a collection, what somebody else has deleted meanwhile is as good as deleted. */
function unlessGone(error: unknown): void {
  if (!(error instanceof StatusError && error.code === 404)) throw error;
}
