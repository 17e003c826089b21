package settings

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/rule/cedar"
)

// cedar reads policies and their schema. Where they are faulty, there are none, and routes
// are not told of it too.
func (r *reader) cedar(f *file, s *Settings) {
	c := f.Cedar
	if len(c.Policies) == 0 {
		if c.Schema != "" || c.Namespace != "" {
			r.fault("cedar", "there are no policies; add policies, such as [policies.cedar]")
		}
		return
	}
	config := cedar.Config{Namespace: c.Namespace}
	before := len(r.faults)
	for i, path := range c.Policies {
		if key := r.item("cedar.policies", i); path != "" {
			config.Policies = append(config.Policies, cedar.File{Name: filepath.Base(path), Text: r.readFile(key, path, false)})
		}
	}
	if c.Schema != "" {
		config.Schema = &cedar.File{Name: filepath.Base(c.Schema), Text: r.readFile("cedar.schema", c.Schema, false)}
	}
	if len(r.faults) > before || r.faulty("cedar") {
		return
	}
	found, err := cedar.New(config)
	if err == nil {
		s.Cedar = found
		return
	}
	for _, leaf := range leaves(err) {
		key := "cedar.policies"
		switch text := leaf.Error(); {
		case config.Schema != nil && strings.HasPrefix(text, config.Schema.Name+":"):
			key = "cedar.schema"
		case strings.HasPrefix(text, "namespace"):
			key = "cedar.namespace"
		default:
			// The line in codegrant.yaml is that of the policy file's name.
			for i, file := range config.Policies {
				if strings.HasPrefix(text, file.Name+":") {
					key = r.item("cedar.policies", i)
				}
			}
		}
		r.fault(key, "%w", leaf)
	}
}

// byPolicies is what a route asks the policies; nil: nothing, or a fault was recorded.
func (r *reader) byPolicies(key string, c route, s *Settings) codegrant.Permission {
	switch {
	case !c.Cedar && (c.CedarAction != "" || c.CedarResource != ""):
		r.fault(key, "cedar_action and cedar_resource need cedar: true")
		return nil
	case !c.Cedar:
		return nil
	case c.CedarResource != "" && c.CedarAction == "":
		r.fault(key+".cedar_resource", "it needs cedar_action: without it, the resource is the application")
		return nil
	case c.Machines:
		r.fault(key+".cedar", "policies decide only about people, and machines: true lets services in without them; use two routes")
		return nil
	case s.Cedar == nil:
		if !r.has("cedar") {
			r.fault(key+".cedar", "there are no policies; list their files under cedar")
		}
		return nil
	}
	if c.CedarAction != "" {
		p, err := s.Cedar.Permission(c.CedarAction, c.CedarResource)
		if err != nil {
			r.fault(key+".cedar_action", "%w", err)
			return nil
		}
		return p
	}
	path := c.Path
	if path == "" {
		path = "/"
	}
	for _, method := range c.Methods {
		if action := cedar.RouteAction(method, path); !s.Cedar.Knows(action) {
			r.fault(key+".cedar", "%w", fmt.Errorf("the schema has no action %q: nobody could pass", action))
		}
	}
	return s.Cedar.Route(path)
}
