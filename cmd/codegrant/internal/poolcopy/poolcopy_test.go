package poolcopy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/codegrant/codegrant/backup"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/commandtest"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
)

const poolID = "eu-west-1_Ab12Cd34E" // of commandtest.Stores

// TestS800_OfAReplicaAndABackup: both have the same people, and a copy has no value of them.
func TestS800_OfAReplicaAndABackup(t *testing.T) {
	config := commandtest.Stores(t)
	dir := t.TempDir()
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	db, done, err := parts.ForBackup(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	var content bytes.Buffer
	if _, err := backup.Write(t.Context(), db, &content, key.Recipient()); err != nil {
		t.Fatal(err)
	}
	file, keyFile := filepath.Join(dir, "people.backup"), filepath.Join(dir, "backup.key")
	if err := errors.Join(os.WriteFile(file, content.Bytes(), 0o600), os.WriteFile(keyFile, []byte(key.String()+"\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	of := func(people People) (all []Person) {
		t.Helper()
		if err := people(t.Context(), func(p Person) error { all = append(all, p); return nil }); err != nil {
			t.Fatal(err)
		}
		return all
	}
	one, other := of(FromReplica(config, poolID)), of(FromBackup(file, []string{keyFile}, poolID))
	if len(one) != 2 || !reflect.DeepEqual(one, other) {
		t.Errorf("the replica has\n%v, the backup\n%v", one, other)
	}
	if one[0].Attributes["email"] == "" || len(one[0].Groups) != 2 || !one[0].Enabled {
		t.Errorf("the first is %+v", one[0])
	}
	if left := of(FromBackup(file, []string{keyFile}, "eu-west-1_Other")); left != nil {
		t.Errorf("another pool has %v", left)
	}
	if err := FromReplica(config, "eu-west-1_Other")(t.Context(), nil); err == nil {
		t.Error("a replica of another pool was read")
	}
	seed := filepath.Join(dir, "seed.yaml")
	r, err := Write(t.Context(), seed, Pool{ID: poolID}, FromBackup(file, []string{keyFile}, poolID), 0)
	if err != nil || r.People != 2 {
		t.Fatalf("%+v, %v", r, err)
	}
	text, err := os.ReadFile(seed)
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{"alice", "bob", "sub-", "Name "} {
		if groupless := strings.NewReplacer("of-alice", "", "of-bob", "").Replace(string(text)); strings.Contains(groupless, value) {
			t.Errorf("the seed has %q:\n%s", value, text)
		}
	}

	// A file that is cut is no source, and what ends early leaves no seed.
	if err := os.WriteFile(file, content.Bytes()[:content.Len()-40], 0o600); err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(dir, "cut.yaml")
	if _, err := Write(t.Context(), cut, Pool{ID: poolID}, FromBackup(file, []string{keyFile}, poolID), 0); !errors.Is(err, backup.ErrDamaged) {
		t.Errorf("a file that is cut: %v", err)
	}
	failed := errors.New("the pool is away")
	if _, err := Write(t.Context(), cut, Pool{ID: poolID}, func(_ context.Context, each func(Person) error) error {
		return errors.Join(each(one[0]), failed)
	}, 0); !errors.Is(err, failed) {
		t.Errorf("it says %v", err)
	}
	if left, err := filepath.Glob(cut + "*"); err != nil || left != nil {
		t.Errorf("left are %v, %v", left, err)
	}
}

// TestAFileThatComesMeanwhile: while people are read. It stays, and there is no seed.
func TestAFileThatComesMeanwhile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seed.yaml")
	_, err := Write(t.Context(), path, Pool{ID: poolID}, func(context.Context, func(Person) error) error {
		return os.WriteFile(path, []byte("somebody else's"), 0o600)
	}, 0)
	if err == nil || !strings.Contains(err.Error(), "name another file") {
		t.Errorf("it says %v", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "somebody else's" {
		t.Errorf("the file is %q, %v", text, err)
	}
	if left, err := filepath.Glob(path + ".*"); err != nil || left != nil {
		t.Errorf("left are %v, %v", left, err)
	}
}

// TestS800_NoValueIsThePersonsOwn: not by chance either, and each is within the limits of
// the schema.
func TestS800_NoValueIsThePersonsOwn(t *testing.T) {
	limit := func(n int64) *int64 { return &n }
	s := shape{schema: map[string]Attribute{
		"custom:short": {Type: "String", Max: limit(3)}, "custom:long": {Type: "String", Min: limit(40)}, "custom:age": {Type: "Number", Min: limit(18), Max: limit(20)},
		"custom:low": {Type: "Number", Max: limit(-5)}, "custom:high": {Type: "Number", Min: limit(7000000000)}, "custom:free": {Type: "Number"}, "custom:all": {Type: "Number", Min: limit(math.MinInt64), Max: limit(math.MaxInt64)},
		"custom:half": {Type: "Number", Min: limit(-5e18), Max: limit(5e18)}, "custom:top": {Type: "Number", Min: limit(math.MaxInt64 - 5)}, "custom:bottom": {Type: "Number", Max: limit(math.MinInt64 + 5)}, "custom:day": {Type: "DateTime"},
	}}
	names := []string{"custom:unknown"}
	for name := range standing {
		names = append(names, name)
	}
	for name := range s.schema {
		names = append(names, name)
	}
	for _, name := range names {
		for n := 1; n < 400; n++ {
			made := s.value(name, "", n)
			again := s.value(name, made, n)
			if again == made {
				t.Errorf("%s of person %d: %q is their own", name, n, made)
			}
			a := s.schema[name]
			for _, value := range []string{made, again} {
				size := int64(len(value))
				if a.Type == "Number" {
					var err error
					if size, err = strconv.ParseInt(value, 10, 64); err != nil {
						t.Errorf("%s is %q", name, value)
					}
				}
				if a.Min != nil && size < *a.Min || a.Max != nil && size > *a.Max {
					t.Errorf("%s of person %d is %q", name, n, value)
				}
			}
		}
	}
	for _, text := range []string{`[{"userId":"zreal","providerName":"Corp","issuer":"zreal","primary":"true","dateCreated":"1"}]`, `zreal`, `{"zreal":1}`, `["zreal"]`, `null`} {
		if made := identities(text, 1); strings.Contains(made, "zreal") || !json.Valid([]byte(made)) {
			t.Errorf("%s becomes %s", text, made)
		}
	}
	for _, p := range []Person{{Username: "zreal_1", Status: "EXTERNAL_PROVIDER"}, {Username: "person-1"}, {Username: "zreal", Status: "COMPROMISED", Attributes: map[string]string{"sub": "zreal", "cognito:zreal": "zreal", "email_verified": "zreal"}}} {
		made, err := json.Marshal(s.anonymous(p, 1))
		if err != nil || bytes.Contains(made, []byte("zreal")) || bytes.Contains(made, []byte(`"person-1"`)) != (p.Username == "zreal") {
			t.Errorf("%+v becomes %s", p, made)
		}
	}
}
