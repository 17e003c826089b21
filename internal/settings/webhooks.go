package settings

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/codegrant/codegrant/webhook"
)

// webhooks reads who is told of changes.
func (r *reader) webhooks(f *file, s *Settings) {
	for _, name := range slices.Sorted(maps.Keys(f.Webhooks)) {
		r.webhook("webhooks."+name, name, f.Webhooks[name], s)
	}
	s.SendWebhooks = f.SendWebhooks
	if f.SendWebhooks && len(f.Webhooks) == 0 && !r.faulty("webhooks") {
		r.fault("send_webhooks", "there are no webhooks to send; add webhooks: {NAME: {url: …, secret_file: …}}")
	}
	if len(f.Webhooks) > 0 && r.uses("replica") && !s.Replica.Outbox && !r.faulty("replica") {
		r.fault("webhooks", "webhooks need the outbox, which is off; set replica: {outbox: true}")
	}
}

func (r *reader) webhook(key, name string, c webhookTo, s *Settings) {
	e := webhook.Endpoint{Name: name, URL: c.URL, Events: c.Events, Private: c.PrivateNetwork}
	if path := r.beside(c.SecretFile); c.SecretFile != "" {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			r.files = append(r.files, path)
			r.fault(key+".secret_file", "there is no file %[1]s; create it with: codegrant webhooks secret > %[1]s", path)
			return
		}
	}
	for _, text := range strings.Fields(r.secret(key+".secret", c.Secret, c.SecretFile)) {
		secret, err := webhook.ParseSecret(text)
		if err != nil {
			r.fault(key+".secret", "%w", err)
			continue
		}
		e.Secrets = append(e.Secrets, secret)
	}
	if r.faulty(key) {
		return
	}
	if err := e.Check(); err != nil {
		for _, leaf := range leaves(err) {
			field, says, _ := strings.Cut(leaf.Error(), ": ")
			if field == "name" {
				field, says = "", "its name: "+says
			}
			r.fault(strings.TrimSuffix(key+"."+field, "."), "%s", says)
		}
		return
	}
	s.Webhooks = append(s.Webhooks, e)
}
