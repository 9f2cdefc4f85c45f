// Which cluster a route.v3.RouteAction sends to: one, one named by a header, or a weighted choice.
import type {
  WeightedCluster_ClusterWeight as ClusterWeight,
  RouteAction,
  WeightedCluster,
} from '@varka/xds/gen/envoy/config/route/v3/route_components_pb.ts';
import { compileFilterConfigs, type FilterConfigs, NO_FILTER_CONFIGS } from './filter-configs.ts';
import { compileLevel, type LevelEdits, NO_EDITS } from './header-edits.ts';
import { headerReader } from './header-match.ts';
import type { Problems } from './problems.ts';
import type { RequestView } from './request-view.ts';
import type { Chance } from './route-match.ts';

/** One possible target, with what it adds to the route. */
export interface ClusterTarget {
  /** undefined when a header names it. */
  readonly name: string | undefined;
  readonly header: ((request: RequestView) => string | undefined) | undefined;
  readonly authority: string | undefined;
  readonly edits: LevelEdits;
  readonly filters: FilterConfigs;
}

export interface ClusterChoice {
  readonly targets: readonly ClusterTarget[];
  /** Index into `targets`. */
  choose(request: RequestView, chance: Chance): number;
}

/** A header that is missing names no cluster, and no cluster has an empty name: the answer is "cluster not found". */
export function targetName(target: ClusterTarget, request: RequestView): string {
  return target.name ?? target.header?.(request) ?? '';
}

const first = (): number => 0;

export function compileClusterChoice(action: RouteAction, problems: Problems): ClusterChoice | undefined {
  const specifier = action.clusterSpecifier;
  switch (specifier.case) {
    case 'cluster':
      if (specifier.value === '') problems.add('cluster is empty');
      return { targets: [plainTarget(specifier.value, '')], choose: first };
    case 'clusterHeader':
      if (specifier.value === '') problems.add('cluster_header is empty');
      return { targets: [plainTarget('', specifier.value)], choose: first };
    case 'weightedClusters':
      return compileWeighted(specifier.value, problems.at('weighted_clusters'));
    default:
      problems.add(
        specifier.case === undefined ? 'cluster_specifier is missing' : `${specifier.case} is not supported`,
      );
      return undefined;
  }
}

function plainTarget(name: string, header: string): ClusterTarget {
  return {
    name: header === '' ? name : undefined,
    header: header === '' ? undefined : headerReader(header.toLowerCase()),
    authority: undefined,
    edits: NO_EDITS,
    filters: NO_FILTER_CONFIGS,
  };
}

function compileTarget(weight: ClusterWeight, problems: Problems): ClusterTarget {
  if ((weight.name === '') === (weight.clusterHeader === ''))
    problems.add('exactly one of name and cluster_header is needed');
  problems.unsupported('metadata_match', weight.metadataMatch !== undefined);
  const rewrite = weight.hostRewriteSpecifier.value ?? '';
  return {
    ...plainTarget(weight.name, weight.clusterHeader),
    authority: rewrite === '' ? undefined : rewrite,
    edits: compileLevel(weight, problems),
    filters: compileFilterConfigs(weight.typedPerFilterConfig, problems),
  };
}

/** The deprecated total_weight says nothing: Envoy uses the sum (WeightedCluster.total_weight). */
function compileWeighted(weighted: WeightedCluster, problems: Problems): ClusterChoice | undefined {
  const targets = weighted.clusters.map((weight, i) => compileTarget(weight, problems.at(`clusters[${i}]`)));
  let total = 0;
  const bounds = weighted.clusters.map(({ weight }) => {
    total += weight ?? 0;
    return total;
  });
  if (total === 0) {
    problems.add('the sum of weights must be greater than zero');
    return undefined;
  }
  if (total > 0xffffffff) problems.add(`the sum of weights is ${total}; maximum is ${0xffffffff}`);
  const header =
    weighted.randomValueSpecifier.case === 'headerName'
      ? headerReader(weighted.randomValueSpecifier.value.toLowerCase())
      : undefined;
  const pick = (point: number): number => {
    let i = 0;
    while (point >= bounds[i]!) i++;
    return i;
  };
  return {
    targets,
    choose(request, chance) {
      const given = header?.(request);
      // WeightedCluster.header_name: the same number always leads to the same cluster.
      if (given !== undefined && /^[0-9]{1,20}$/.test(given)) return pick(Number(BigInt(given) % BigInt(total)));
      return pick(Math.floor(chance.value * total));
    },
  };
}
