package settings

import (
	"reflect"
	"slices"
	"strings"
)

// poolUses are the keys of a pool that say which one it is and how long its sign-ins last:
// all that commands look at beside the gateway.
var poolUses = []string{"name", "id", "region", "secondary_region", "issuer", "jwks_url", "client_id", "idle_timeout", "absolute_timeout"}

// placeholderOrigin stands for what a command does not look at, and the packages that
// check a pool ask for.
const placeholderOrigin = "https://placeholder.example.com"

// uses reports whether a key at the top of the file is looked at.
func (r *reader) uses(key string) bool { return r.only == nil || slices.Contains(r.only, key) }

// narrow leaves out what the command has no use for, as if the file did not have it: its
// faults too, such as variables that are set for the gateway alone, and files that only
// the gateway may read. A key that does not exist stays a fault.
func (r *reader) narrow(f *file, only []string) {
	if r.only = only; only == nil {
		return
	}
	clean := defaults()
	into, otherwise := reflect.ValueOf(f).Elem(), reflect.ValueOf(clean)
	for i := range into.NumField() {
		key := into.Type().Field(i).Tag.Get("yaml")
		if key == "pools" || slices.Contains(only, key) {
			continue
		}
		into.Field(i).Set(otherwise.Field(i))
		r.forget(key)
	}
	t := reflect.TypeFor[pool]()
	for i := range f.Pools {
		moved := f.Pools[i].MovedFrom
		p := reflect.ValueOf(&f.Pools[i]).Elem()
		for j := range t.NumField() {
			if key := t.Field(j).Tag.Get("yaml"); !slices.Contains(poolUses, key) && !slices.Contains(only, "pools."+key) {
				p.Field(j).SetZero()
				r.forget(itemKey("pools", i) + "." + key)
			}
		}
		if moved != nil && moved.Sessions != nil && f.Pools[i].MovedFrom == nil && slices.Contains(only, "sessions") {
			// Keep the ids, without the secrets.
			f.Pools[i].MovedFrom = &movedFrom{ID: moved.ID, Region: moved.Region, Issuer: moved.Issuer, Sessions: moved.Sessions}
		}
		if !slices.Contains(only, "pools.domain") {
			f.Pools[i].Domain = strings.TrimPrefix(placeholderOrigin, "https://")
		}
	}
	if !slices.Contains(only, "base_url") {
		f.BaseURL = placeholderOrigin
	}
}

// forget drops a key, what is below it, and their faults.
func (r *reader) forget(key string) {
	at := func(k string) bool {
		rest, ok := strings.CutPrefix(k, key)
		return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
	}
	for k := range r.lines {
		if at(k) {
			delete(r.lines, k)
		}
	}
	r.faults = slices.DeleteFunc(r.faults, func(f Fault) bool { return at(f.Key) })
}
