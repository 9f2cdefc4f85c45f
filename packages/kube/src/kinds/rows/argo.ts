// argoproj.io/v1alpha1 Application and AppProject: what Argo CD would keep in step with a repository.
import { pathColumn } from '../row.ts';
import { anything, bool, int64, list, obj, str } from '../schema.ts';
import { openObject, storedRow } from '../stored-row.ts';

const destination = openObject({ server: str('URL of the API server.'), name: str(), namespace: str() });

const source = openObject({
  repoURL: str('Repository of the manifests.'),
  path: str('Folder in the repository.'),
  targetRevision: str('Branch, tag or commit.'),
  chart: str(),
});

export const applicationRow = storedRow(
  {
    group: 'argoproj.io',
    kind: 'Application',
    plural: 'applications',
    shortNames: ['app', 'apps'],
    versions: ['v1alpha1'],
  },
  openObject(
    {
      project: str('The AppProject it belongs to.'),
      source,
      sources: list(source),
      destination,
      syncPolicy: openObject({
        automated: openObject({ prune: bool(), selfHeal: bool(), allowEmpty: bool() }),
        syncOptions: list(str()),
        retry: obj({
          limit: int64(),
          refresh: bool(),
          backoff: obj({ duration: str(), factor: int64(), maxDuration: str() }),
        }),
      }),
    },
    ['destination', 'project'],
    'What is deployed where.',
  ),
  [
    pathColumn('Sync Status', '.status.sync.status', 'Whether it is as the repository has it.'),
    pathColumn('Health Status', '.status.health.status', 'How it is.'),
  ],
  { operation: anything('A synchronization that was asked for.') },
);

export const appProjectRow = storedRow(
  {
    group: 'argoproj.io',
    kind: 'AppProject',
    plural: 'appprojects',
    shortNames: ['appproj', 'appprojs'],
    versions: ['v1alpha1'],
  },
  openObject({ description: str(), sourceRepos: list(str()), destinations: list(destination) }),
);
