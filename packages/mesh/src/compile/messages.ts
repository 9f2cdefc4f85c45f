// Small Envoy messages that every compiled resource is made of.
import {
  create,
  type DescMessage,
  type JsonObject,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import type { AddressSchema, BindConfigSchema } from '@varka/xds/gen/envoy/config/core/v3/address_pb.ts';
import type { MetadataSchema } from '@varka/xds/gen/envoy/config/core/v3/base_pb.ts';
import { ApiVersion, type ConfigSourceSchema } from '@varka/xds/gen/envoy/config/core/v3/config_source_pb.ts';
import { SocketOption_SocketState } from '@varka/xds/gen/envoy/config/core/v3/socket_option_pb.ts';
import { type Duration, parseDuration } from '../config/duration.ts';

/** The plain form of a message, which `create` turns into one. */
export type Init<Desc extends DescMessage> = Exclude<MessageInitShape<Desc>, MessageShape<Desc>>;

export function pack<Desc extends DescMessage>(schema: Desc, init: Init<Desc>): Any {
  return anyPack(schema, create(schema, init as MessageInitShape<Desc>));
}

export function socketAddress(address: string, port: number): Init<typeof AddressSchema> {
  return {
    address: { case: 'socketAddress', value: { address, portSpecifier: { case: 'portValue', value: port } } },
  };
}

export const ZERO_DURATION: Duration = { seconds: 0n, nanos: 0 };

/** A duration from a rule; text that is none has been refused at the door, so it counts as not said. */
export function duration(text: string | undefined): Duration | undefined {
  return text === undefined ? undefined : parseDuration(text);
}

export function milliseconds(ms: number): Duration {
  return { seconds: BigInt(Math.floor(ms / 1000)), nanos: (ms % 1000) * 1_000_000 };
}

/** Resources that come over the same ADS stream, waited for without limit: the proxy is no use before they are there. */
export const FROM_ADS: Init<typeof ConfigSourceSchema> = {
  configSourceSpecifier: { case: 'ads', value: {} },
  resourceApiVersion: ApiVersion.V3,
  initialFetchTimeout: ZERO_DURATION,
};

/** Where a resource came from, under the key Istio uses: `istioctl` and our explanations read it. */
export function istioMetadata(fields: JsonObject): Init<typeof MetadataSchema> {
  return { filterMetadata: { istio: fields } };
}

/** `/apis/networking.istio.io/v1/namespaces/NS/virtual-service/NAME` [istio util.BuildConfigInfoMetadata]. */
export function configUri(
  kind: 'virtual-service' | 'destination-rule' | 'gateway',
  namespace: string,
  name: string,
): string {
  return `/apis/networking.istio.io/v1/namespaces/${namespace}/${kind}/${name}`;
}

/** SOL_SOCKET and SO_MARK on Linux. */
const SOL_SOCKET = 1n;
const SO_MARK = 36n;
/** What the capture rules let pass: a sidecar's own connections, told by their mark rather than by their user. */
const SIDECAR_MARK = 1337n;

export function upstreamBind(marked: boolean, sourceAddress?: string): Init<typeof BindConfigSchema> | undefined {
  if (!marked && sourceAddress === undefined) return undefined;
  return {
    ...(sourceAddress === undefined
      ? {}
      : { sourceAddress: { address: sourceAddress, portSpecifier: { case: 'portValue', value: 0 } } }),
    socketOptions: marked
      ? [
          {
            description: 'SO_MARK',
            level: SOL_SOCKET,
            name: SO_MARK,
            value: { case: 'intValue', value: SIDECAR_MARK },
            state: SocketOption_SocketState.STATE_PREBIND,
          },
        ]
      : [],
  };
}
