package cloudfront

import (
	"fmt"
	"slices"
)

// plan is what goes with one cookie domain.
type plan struct {
	resources []resource
	// visible: the cookies have the path "/", so every request shows which the browser holds. There is then one
	// resource alone. Otherwise a marker cookie tells.
	visible bool
}

// newPlans gives each cookie domain the resources whose hosts it covers, and each resource its cookie path.
func newPlans(rule domainRule, resources []resource) (map[string]plan, []error) {
	plans := map[string]plan{}
	var faults []error
	used := make([]bool, len(resources))
	domains := rule.all()
	slices.Sort(domains)
	for _, domain := range domains {
		var p plan
		for i, r := range resources {
			if domain == "" || covers(domain, r.host) {
				used[i] = true
				p.resources = append(p.resources, r)
			}
		}
		if len(p.resources) == 0 && rule.fixed == nil {
			faults = append(faults, inField("Domains",
				fmt.Errorf("%w: no resource has a host below %q, so browsers would send its cookies to none", ErrDomain, domain)))
		}
		faults = append(faults, p.setPaths(domain)...)
		plans[domain] = p
	}
	for i, ok := range used {
		if !ok {
			faults = append(faults, inField(fmt.Sprintf("Resources[%d]", i),
				fmt.Errorf("%w: host %q is not below the cookie domain; give the distribution an alternate domain name there", ErrResource, resources[i].host)))
		}
	}
	return plans, faults
}

// paths returns the cookie paths of the plan, and "/", where other configurations put theirs.
func (p plan) paths() []string {
	paths := []string{"/"}
	for _, r := range p.resources {
		if r.path != "/" {
			paths = append(paths, r.path)
		}
	}
	return paths
}

func (p *plan) setPaths(domain string) []error {
	var faults []error
	for i := range p.resources {
		r := &p.resources[i]
		if r.path == "" {
			r.path = r.folder
			if len(p.resources) == 1 {
				r.path = "/"
			}
		}
		for _, other := range p.resources[:i] {
			if domain == "" && other.host != r.host {
				faults = append(faults, inField("Resources",
					fmt.Errorf("%w: HostOnly cookies reach one host, and %q and %q are two", ErrResource, other.host, r.host)))
			}
			if pathMatches(r.path, other.path) || pathMatches(other.path, r.path) {
				faults = append(faults, inField("Resources",
					fmt.Errorf("%w: browsers would send the cookies of %q (path %s) and %q (path %s) together, "+
						"and CloudFront judges by one set; move them to folders beside each other, or below one with a single resource",
						ErrResource, other.url, other.path, r.url, r.path)))
			}
		}
	}
	p.visible = len(p.resources) == 1 && p.resources[0].path == "/"
	return faults
}
