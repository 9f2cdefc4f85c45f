// Services and rules of every sort that the compiler knows, for tests that look at all of its output.

export const VARIETY = `
---
apiVersion: v1
kind: Service
metadata: {name: kinds-of-ports}
spec:
  clusterIP: 10.96.4.1
  selector: {app: service-b}
  ports:
  - {name: http-web, port: 80, targetPort: 8080}
  - {name: tcp-data, port: 9000}
  - {name: anything, port: 9001}
  - {name: grpc-api, port: 9002}
  - {name: https, port: 443}
  - {name: mysql, port: 3306}
  - {name: udp-dns, port: 53, protocol: UDP}
---
apiVersion: v1
kind: Service
metadata: {name: headless}
spec:
  clusterIP: None
  selector: {app: service-c}
  ports:
  - {name: http, port: 8081}
  - {name: tcp, port: 9100}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: kinds-of-ports}
spec:
  host: kinds-of-ports
  trafficPolicy:
    loadBalancer: {simple: LEAST_REQUEST}
    connectionPool:
      tcp: {maxConnections: 100, connectTimeout: 2s}
      http: {http1MaxPendingRequests: 1, maxRequestsPerConnection: 5, maxRetries: 3, idleTimeout: 30s}
    outlierDetection: {consecutive5xxErrors: 1, interval: 2s, baseEjectionTime: 10s, maxEjectionPercent: 100, minHealthPercent: 20}
    portLevelSettings:
    - {port: {number: 9000}, loadBalancer: {simple: RANDOM}}
    - {port: {number: 9001}, connectionPool: {tcp: {maxConnections: 7}}}
  subsets:
  - {name: all}
  - {name: v1, labels: {version: v1}, trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}, portLevelSettings: [{port: {number: 9001}, loadBalancer: {simple: RANDOM}}]}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: kinds-of-ports}
spec:
  hosts: [kinds-of-ports, outside.example.com, "*.wild.example.com"]
  http:
  - name: exact
    match:
    - name: one
      uri: {exact: /exact}
      method: {exact: POST}
      scheme: {exact: http}
      authority: {prefix: kinds}
      headers: {x-b: {regex: "a.*"}, x-a: {exact: "1"}, x-c: {}, x-d: {prefix: p}}
      withoutHeaders: {x-no: {exact: "1"}, x-none: {}}
      queryParams: {q: {exact: "1"}, r: {regex: "[0-9]+"}, s: {prefix: p}}
      ignoreUriCase: true
    route:
    - destination: {host: kinds-of-ports, subset: all, port: {number: 80}}
      weight: 30
      headers: {request: {set: {x-dest: all, host: all.example.com}}}
    - destination: {host: kinds-of-ports, subset: v1, port: {number: 80}}
      weight: 70
      headers: {response: {add: {x-from: v1}, remove: [x-gone]}}
    headers: {request: {add: {x-add: "1"}, remove: [x-rm]}, response: {set: {x-set: "2"}}}
    timeout: 5s
    retries: {attempts: 3, perTryTimeout: 1s, retryOn: "5xx,409,retriable-4xx", backoff: 50ms}
  - name: regex
    match: [{uri: {regex: "/v[0-9]+/.*"}}]
    rewrite: {uriRegexRewrite: {match: "/v([0-9]+)/(.*)", rewrite: '/\\2/\\1'}, authority: re.example.com}
    retries: {attempts: 0}
    route: [{destination: {host: kinds-of-ports, port: {number: 80}}}]
  - match: [{uri: {prefix: /old}}]
    redirect: {uri: /new, authority: new.example.com, redirectCode: 308, scheme: https}
  - match: [{uri: {prefix: /gone}}]
    directResponse: {status: 410, body: {string: "gone for good"}}
  - match: [{port: 9999}]
    route: [{destination: {host: nowhere}}]
  - match: [{sourceLabels: {app: nobody}}]
    route: [{destination: {host: nowhere}}]
  - route: [{destination: {host: kinds-of-ports, port: {number: 80}}}]
  - match: [{uri: {prefix: /never}}]
    route: [{destination: {host: nowhere}}]
`;
