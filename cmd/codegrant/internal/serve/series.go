package serve

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/codegrant/codegrant/gateway"
)

// label is a value of a label: what the log calls "signed in" is signed_in to those who
// write queries.
func label(words string) string { return strings.ReplaceAll(words, " ", "_") }

// upstreamFailed is the decision on a request that might pass, and whose upstream did not
// answer it: it got 502, 503 or 504.
const upstreamFailed gateway.Decision = "upstream failed"

// decisionOf is what counts: who was let through to nobody has not passed.
func decisionOf(o gateway.Outcome) gateway.Decision {
	if o.Decision == gateway.Passed && o.Status >= http.StatusBadGateway && o.Status <= http.StatusGatewayTimeout {
		return upstreamFailed
	}
	return o.Decision
}

// codeOf is the status as a label. Upstreams may make up others than there are, and make
// no series by it.
func codeOf(status int) string {
	switch {
	case status == 0:
		return "101" // the connection was taken over
	case http.StatusText(status) == "":
		return strconv.Itoa(status/100) + "xx"
	}
	return strconv.Itoa(status)
}

// mostPairs is of how many pools and routes the series are there before the first event.
const mostPairs = 512

// begin has the series of a configuration there before the first event, so that the first
// one is an increase.
func (m *metrics) begin(pools []string, routes []string) {
	for _, pool := range pools {
		for _, outcome := range []string{"started", "signed in", "refused", "failed"} {
			m.signIns.WithLabelValues(pool, label(outcome))
		}
		for _, outcome := range []string{"refreshed", "failed"} {
			m.refreshes.WithLabelValues(pool, outcome)
		}
		m.signOuts.WithLabelValues(pool)
		m.ended.WithLabelValues(pool)
		m.proofs.WithLabelValues(pool)
	}
	for _, route := range routes {
		route = label(route)
		m.latency.WithLabelValues(route)
		for _, status := range []int{http.StatusOK, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout} {
			m.responses.WithLabelValues(route, codeOf(status))
		}
		if len(pools)*len(routes) > mostPairs {
			continue // most of them would never come
		}
		for _, pool := range pools {
			for _, decision := range []gateway.Decision{gateway.Passed, gateway.Unauthorized, gateway.Forbidden, gateway.Unavailable, gateway.Refused, upstreamFailed} {
				m.requests.WithLabelValues(pool, route, label(string(decision)))
			}
		}
	}
	for _, class := range []string{"2xx", "3xx", "4xx", "5xx"} {
		m.endpoints.WithLabelValues(class)
	}
	for _, outcome := range []string{"in use", "not usable", "wrong"} {
		m.reloads.WithLabelValues(label(outcome))
	}
	for _, reason := range []string{"identity too large", "sign-in rate", "sign-ins of one person", "connections", "overload"} {
		m.refused.WithLabelValues(label(reason))
	}
	for _, operation := range []string{"create", "get", "replace", "delete", "list", "delete by subject", "mark stale", "delete expired"} {
		m.faults.WithLabelValues(label(operation))
		m.stores.WithLabelValues(label(operation))
	}
}
