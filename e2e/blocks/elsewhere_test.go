package blocks

// elsewhere are the blocks that cannot run here, with the reason.
var elsewhere = map[string]string{
	// Go that imports what this repository does not have.
	"docs/library.md: func (s *server) socket(w http.ResponseWriter, r *http.Request) {     // behind auth.Require(codegrant.InGroup(\"staff\"))": "imports github.com/coder/websocket; TestS680_WatchEndsWithTheSession has the same loop without it",
	"docs/library.md: config.HTTPClient = &http.Client{Transport: otelhttp.NewTransport(cognito.NewTransport(),   // what it would be otherwise":  "imports otelhttp; the hooks that it uses are tested in the root package",

	// Other files than configurations of codegrant.
	"docs/rules.md: - {name: editors place orders, sub: c-1, groups: [editors], action: post /orders, allow: true, by: [editors write]}": "cases, and no configuration: TestPolicyCases runs them",
	"docs/rules.md: @id(\"editors write\")":                                  "TestPolicyCases runs it",
	"examples/gateway/envoy/README.md: - name: envoy.filters.http.ext_authz": "a part of Envoy's configuration: e2e/proxies runs the whole of it",
	"docs/assertions.md: @Bean":                                              "a part of a Spring application: TestS450_FrameworksReadTheGatewaysWord runs one",
	"docs/assertions.md: JwkProvider keys = new JwkProviderBuilder(new URL(\"https://app.example.com/auth/.well-known/jwks.json\")).cached(true).rateLimited(true).build();": "a fragment of Java: TestS231_AssertionsVerify runs the same calls",
	"docs/assertions.md: Locator<Key> keys = header -> jwks.get(header.get(\"kid\"));          // Jwks.setParser().build().parse(…), by kid":                                 "a fragment of Java: TestS231_AssertionsVerify runs the same calls",
	"docs/http.md: <form method=\"post\" action=\"/auth/logout\"><button>Sign out</button></form>":                                                                           "a fragment of a page: TestDemo clicks on the same form",
	"docs/library.md: <form method=\"post\" action=\"/auth/logout\"><button>Sign out</button></form>":                                                                        "a fragment of a page: TestDemo clicks on the same form",

	// Commands that need what is not here.
	"docs/versions.md: go get github.com/codegrant/codegrant@latest":                                                                                                                  "fetches a release from a module proxy",
	"README.md: git clone https://github.com/codegrant/codegrant && cd codegrant":                                                                                                     "clones from GitHub; TestDemo runs the demo",
	"README.md: make test     # all tests; installs PostgreSQL, MariaDB, Redis and Chromium through apt if it may":                                                                    "would run all tests within a test; TestCommandLines finds the targets",
	"CONTRIBUTING.md: scripts/with-servers.sh go test -race ./session/sqlstore":                                                                                                       "would run tests within a test, beside servers of their own",
	"docs/security.md: go test ./... -run S031              # the tests of one promise; some need servers: scripts/with-servers.sh go test …":                                         "would run tests within a test",
	"docs/local-pool.md: go -C bench run ./cmd/emulators":                                                                                                                             "measures other emulators for several minutes",
	"docs/client-secrets.md: aws cognito-idp describe-user-pool-client --user-pool-id \"$POOL\" --client-id \"$CLIENT\" --query UserPoolClient.ClientSecretArn --output text":         "needs an app client that the console has made",
	"docs/cloudfront.md: KEY=$(aws cloudfront create-public-key --query PublicKey.Id --output text --public-key-config \\":                                                            "needs an AWS account with CloudFront",
	"docs/cloudfront.md: DISTRIBUTION=E1A2B3C4D5E6F7":                                                                                                                                 "needs a CloudFront distribution",
	"docs/cloudfront.md: echo \"$POLICY\"    | tr '_~-' '=/+' | openssl base64 -d -A; echo":                                                                                           "needs cookies of a running site; the tests of package cloudfront verify the same signatures",
	"docs/gateway.md: install -m 755 codegrant /usr/bin/":                                                                                                                             "changes the machine: TestUnits checks the units",
	"docs/machines.md: token=$(codegrant token get --scopes orders/read) || exit          # 1: refused, to be mended; 3: the pool did not answer, try again":                          "calls orders.example.com; the tests of codegrant token run the first line",
	"docs/runbook.md: curl -s http://127.0.0.1:9090/readyz               # ops_listen: who does not answer, since when and why":                                                       "asks a gateway in operation; the tests of serve, doctor and sync run each command",
	"docs/sync.md: codegrant sync --dry-run --full      # what would change":                                                                                                          "needs a pool at AWS, and a queue; TestSyncHere runs sync --follow",
	"docs/sync.md: body='{\"detail-type\":\"AWS API Call via CloudTrail\",\"detail\":{\"eventName\":\"AdminDisableUser\",\"eventSource\":\"cognito-idp.amazonaws.com\",":              "needs the sub of a person in a pool; the tests of sync post the same body",
	"docs/local-pool.md: codegrant pool run -- python app.py        # one command, and the pool ends with it":                                                                         "needs a program that calls AWS: TestUnchanged runs several",
	"examples/gateway/README.md: go -C ../.. run ./cmd/codegrant pool --app http://localhost:8000     # a user pool on this machine":                                                  "starts nginx as root on port 8000: e2e/proxies runs the same files on other ports",
	"examples/lambda/README.md: GOOS=linux GOARCH=arm64 CGO_ENABLED=0 go build -tags lambda.norpc -o bootstrap ./lambda && zip authorizer.zip bootstrap    # runtime provided.al2023": "builds for another processor; TestAuthorizer runs the function",
	"examples/README.md: go -C .. run ./cmd/codegrant pool         # in a terminal of its own":                                                                                        "listens on port 9229, which may be taken; TestLocalPoolCommands runs the pool on another one",
	"examples/README.md: curl -i http://localhost:8080/reports/":                                                                                                                      "asks what the block above has started; TestRouters asks the same",
	"docs/http.md: $ curl -X POST -H 'Accept: application/json' -b \"$COOKIES\" https://app.example.com/auth/logout":                                                                  "asks app.example.com; TestOpenAPI sends the same to a running service",
	"docs/http.md: $ curl -H 'Content-Type: application/json' https://app.example.com/auth/session \\":                                                                                "asks app.example.com; TestOpenAPI sends the same to a running service",
}

// ran are the blocks of commands that a test runs, as they are but for names and addresses.
var ran = map[string]string{
	"docs/versions.md: go install ./cmd/codegrant": "TestCommandLines",
	"docs/tables.md: SELECT u.id, u.email, g.name": "TestTablesAreAsDocumented",
	"README.md: go install ./cmd/codegrant            # in the clone; or a package, an image or the Helm chart: deploy/README.md":    "TestJourneyGateway",
	"docs/cloudfront.md: openssl ecparam -name prime256v1 -genkey -noout -out private_key.pem":                                       "TestKeysForCloudFront",
	"docs/gateway.md: codegrant serve --check --config codegrant.yaml   # every fault at once, each with its line":                   "TestJourneyGateway",
	"docs/gateway.md: $ codegrant serve --check --as bob@example.com --groups editors --request 'GET https://app.example.com/ADMIN'": "TestConsoles",
	"docs/getting-started.md: REGION=eu-west-1":                "TestJourneyGo",
	"docs/getting-started.md: export AUTH_COGNITO_CLIENT_ID=…": "TestJourneyGo",
	"docs/getting-started.md: codegrant doctor                 # reads the same environment variables, asks the pool, changes nothing":                               "TestJourneyGo",
	"docs/local-pool.md: codegrant pool --state pool.json                     # the demo's pool on http://127.0.0.1:9229, and kept":                                  "TestLocalPoolCommands",
	"docs/local-pool.md: curl -X POST http://127.0.0.1:9229/_pool/clock -d by=90m      # tokens, codes and sessions end without waiting; or to=2027-01-02T15:04:05Z": "TestLocalPoolCommands",
	"docs/rules.md: $ codegrant serve --check --as bob@example.net --from 192.0.2.1 --request 'GET https://app.example.com/internal'":                                "TestConsoles",
	"docs/rules.md: codegrant policy test --config codegrant.yaml cases.yaml       # 1 where one is decided otherwise":                                               "TestPolicyCases",
	"docs/spa.md: go run ./cmd/codegrant pool --seed examples/spa/pool.yaml":                                                                                         "TestSinglePageApplication",
	"docs/spa.md: export AUTH_COGNITO_CLIENT_ID=spa":                                                                                                                 "TestSinglePageApplication",
	"docs/spa.md: cd examples/spa/web":                             "TestSinglePageApplication",
	"docs/spa.md: cd examples/spa/web && npm ci && npm run build":  "TestSinglePageApplication",
	"docs/spa.md: export CODEGRANT_BASE_URL=http://localhost:8080": "TestSinglePageApplication",
	"docs/identities.md: codegrant users duplicates                          # several people, to whom their pools say one address belongs": "TestS758_MergeByCommand",
	"docs/webhooks.md: codegrant webhooks list                     # what was given up, why, and how many wait":                             "TestWebhooks",
	"docs/sync.md: codegrant pool --seed pool.yaml": "TestSyncHere",
	"docs/sync.md: aws() { curl -sH \"X-Amz-Target: AWSCognitoIdentityProviderService.$1\" -d \"$2\" http://127.0.0.1:9229/; }   # or aws --endpoint-url": "TestSyncHere",
	"examples/README.md: export AUTH_COGNITO_CLIENT_ID=1demo2public3client4only5":                                                                         "TestReadmeSettings TestRouters",
	"examples/mcp/README.md: go run ./mcp            # in the folder of the examples":                                                                     "TestOfficialClient",
	"docs/changes.md: -- postgres: 1. the first change of each person, among the oldest":                                                                  "TestDocsSQL",
	"docs/changes.md: -- mysql: 1. the first change of each person, among the oldest; with autocommit":                                                    "TestDocsSQL",
	"docs/changes.md: -- postgres: clean": "TestDocsSQL",
	"docs/changes.md: -- mysql: clean":    "TestDocsSQL",
}
