// envoy.filters.http.cors: answers preflights, and says on the answers who may read them.
import { CORS_FILTER } from '@varka/decide/filter-configs.ts';
import type { FilterStream, FilterVerdict, HttpFilter } from './http-filter.ts';

export const corsFilter: HttpFilter = {
  name: CORS_FILTER,
  onRequest(stream: FilterStream): FilterVerdict {
    const decision = stream.filters.cors?.decide(stream.view);
    if (decision === undefined || decision.kind === 'pass') return 'continue';
    stream.editResponse(decision.responseHeaders);
    if (decision.kind === 'allow') return 'continue';
    stream.answer('cors_response');
    return 'stop';
  },
};
