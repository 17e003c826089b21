package replica

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	testIssuer  = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E"
	testSubject = "11111111-2222-3333-4444-555555555555"
)

var (
	t0  = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	now = t0.Add(time.Hour)
	no  = false
	yes = true
)

func at(seconds int) time.Time { return t0.Add(time.Duration(seconds) * time.Second) }

// stored returns a user as the pool stated them at t0, changed by edits.
func stored(edits ...func(*User)) *User {
	u := &User{
		ID: 7, Issuer: testIssuer, Subject: testSubject, Username: "alice", Email: "alice@example.com", EmailVerified: true,
		Name: "Alice Smith", Custom: map[string]string{"custom:team": "red"}, Enabled: true, Status: "CONFIRMED",
		Groups:  []Membership{member("admins", true, false), member("analysts", true, true), member("locals", false, true)},
		Created: t0, Updated: t0, AsOf: t0, GroupsAsOf: t0,
	}
	for _, edit := range edits {
		edit(u)
	}
	return u
}

func member(name string, pool, local bool) Membership {
	origin := OriginPool
	if !pool {
		origin = OriginLocal
	}
	return Membership{Group: Group{ID: 1, Issuer: testIssuer, Name: name, Origin: origin}, Pool: pool, Local: local}
}

// stating returns the snapshot that says what stored holds, changed by edits.
func stating(seconds int, edits ...func(*Snapshot)) Snapshot {
	s := Snapshot{
		Issuer: testIssuer, Subject: testSubject, Username: "alice", Email: "alice@example.com", EmailVerified: true,
		Name: "Alice Smith", Custom: map[string]string{"custom:team": "red"},
		Groups: refs("admins", "analysts"), GroupsKnown: true, At: at(seconds),
	}
	for _, edit := range edits {
		edit(&s)
	}
	return s
}

func refs(names ...string) []GroupRef {
	var refs []GroupRef
	for _, name := range names {
		refs = append(refs, GroupRef{Name: name})
	}
	return refs
}

func intp(i int) *int { return &i }

func TestDecide(t *testing.T) {
	for _, test := range []struct {
		name     string
		policy   Policy
		stored   *User
		snapshot Snapshot

		fields, added, removed []string
		check                  func(t *testing.T, c Change)
	}{
		{
			name: "the same again changes nothing", stored: stored(), snapshot: stating(0),
		},
		{
			name: "the same, stated later, changes nothing but the time of the statement", stored: stored(), snapshot: stating(60),
			check: func(t *testing.T, c Change) {
				if !c.Empty() || !c.Confirmed() || !c.User.AsOf.Equal(at(60)) || !c.User.GroupsAsOf.Equal(at(60)) || !c.User.Updated.Equal(t0) {
					t.Errorf("change = %+v, want the user as stored, as of now", c)
				}
			},
		},
		{
			name: "the same, stated later but for groups, says nothing about their time", stored: stored(),
			snapshot: stating(60, func(s *Snapshot) { s.Groups, s.GroupsKnown = nil, false }),
			check: func(t *testing.T, c Change) {
				if !c.Confirmed() || !c.User.AsOf.Equal(at(60)) || !c.User.GroupsAsOf.Equal(t0) {
					t.Errorf("change = %+v, want the attributes as of now", c)
				}
			},
		},
		{
			name: "the same, stated earlier, confirms nothing", stored: stored(), snapshot: stating(-60),
			check: func(t *testing.T, c Change) {
				if c.Confirmed() || !c.User.AsOf.Equal(t0) || !c.User.GroupsAsOf.Equal(t0) {
					t.Errorf("change = %+v, want the user as stored", c)
				}
			},
		},
		{
			name: "a later statement changes an attribute", stored: stored(),
			snapshot: stating(60, func(s *Snapshot) { s.Name = "Alice Jones" }),
			fields:   []string{"name"},
			check: func(t *testing.T, c Change) {
				if !c.User.AsOf.Equal(at(60)) || !c.User.Updated.Equal(now) || c.Before.Name != "Alice Smith" {
					t.Errorf("change = %+v", c)
				}
			},
		},
		{
			name: "a statement of the same time changes an attribute", stored: stored(),
			snapshot: stating(0, func(s *Snapshot) { s.Name = "Alice Jones" }),
			fields:   []string{"name"},
		},
		{
			name: "S-115: an older statement changes neither attributes nor groups", stored: stored(),
			snapshot: stating(-1, func(s *Snapshot) {
				s.Name, s.Enabled, s.Groups = "Old", &no, refs("editors")
			}),
		},
		{
			name: "an older statement still counts as a sign-in", stored: stored(),
			snapshot: stating(-1, func(s *Snapshot) { s.Name, s.SignIn = "Old", true }),
			fields:   []string{"first_sign_in", "last_sign_in"},
			check: func(t *testing.T, c Change) {
				if !c.User.AsOf.Equal(t0) || c.User.Name != "Alice Smith" {
					t.Errorf("user = %+v, want only the times of sign-in changed", c.User)
				}
			},
		},
		{
			name:     "sign-ins out of order keep the earliest as first and the latest as last",
			stored:   stored(func(u *User) { u.FirstSignIn, u.LastSignIn = at(-10), at(10) }),
			snapshot: stating(-20, func(s *Snapshot) { s.SignIn = true }),
			fields:   []string{"first_sign_in"},
			check: func(t *testing.T, c Change) {
				if !c.User.FirstSignIn.Equal(at(-20)) || !c.User.LastSignIn.Equal(at(10)) {
					t.Errorf("sign-ins = %v, %v", c.User.FirstSignIn, c.User.LastSignIn)
				}
			},
		},
		{
			name: "what a token leaves out stays", stored: stored(func(u *User) { u.PhoneNumber, u.PhoneNumberVerified = "+491", true }),
			snapshot: Snapshot{Issuer: testIssuer, Subject: testSubject, At: at(60)},
		},
		{
			name: "what the directory leaves out is gone", stored: stored(func(u *User) { u.PhoneNumber, u.PhoneNumberVerified = "+491", true }),
			snapshot: Snapshot{Issuer: testIssuer, Subject: testSubject, Username: "alice", Complete: true, At: at(60)},
			fields:   []string{"custom", "email", "email_verified", "name", "phone_number", "phone_number_verified"},
			check: func(t *testing.T, c Change) {
				if c.User.Status != "CONFIRMED" || !c.User.Enabled {
					t.Errorf("status and enabled are stated for themselves, got %q, %v", c.User.Status, c.User.Enabled)
				}
			},
		},
		{
			name: "custom attributes of a token are merged", stored: stored(),
			snapshot: stating(60, func(s *Snapshot) { s.Custom = map[string]string{"custom:floor": "3"} }),
			fields:   []string{"custom"},
			check: func(t *testing.T, c Change) {
				want := map[string]string{"custom:team": "red", "custom:floor": "3"}
				if !reflect.DeepEqual(c.User.Custom, want) || len(c.Before.Custom) != 1 {
					t.Errorf("custom = %v, want %v; before = %v", c.User.Custom, want, c.Before.Custom)
				}
			},
		},
		{
			name: "an address that is no longer verified", stored: stored(),
			snapshot: stating(60, func(s *Snapshot) { s.EmailVerified = false }),
			fields:   []string{"email_verified"},
		},
		{
			name: "S-114: verified without an address means nothing", stored: stored(func(u *User) { u.EmailVerified = false }),
			snapshot: stating(60, func(s *Snapshot) { s.Email, s.EmailVerified = "", true }),
		},
		{
			name: "disabled", stored: stored(), snapshot: stating(60, func(s *Snapshot) { s.Enabled = &no }),
			fields: []string{"enabled"},
		},
		{
			name: "S-117: a token says nothing about enabled", stored: stored(func(u *User) { u.Enabled = false }),
			snapshot: stating(60, func(s *Snapshot) { s.SignIn = true }),
			fields:   []string{"first_sign_in", "last_sign_in"},
			check: func(t *testing.T, c Change) {
				if c.User.Enabled {
					t.Error("a sign-in revived a disabled user")
				}
			},
		},
		{
			name: "enabled again", stored: stored(func(u *User) { u.Enabled = false }),
			snapshot: stating(60, func(s *Snapshot) { s.Enabled = &yes }),
			fields:   []string{"enabled"},
		},
		{
			name: "mirror adds and removes, and leaves alone what is local", stored: stored(),
			snapshot: stating(60, func(s *Snapshot) { s.Groups = refs("editors") }),
			fields:   []string{"groups"}, added: []string{"editors"}, removed: []string{"admins"},
			check: func(t *testing.T, c Change) {
				if got := names(c.User.Groups); got != "analysts(l) editors(p) locals(l)" {
					t.Errorf("groups = %s", got)
				}
				if g := c.User.Groups[1]; g.Origin != OriginPool || g.ID != 0 {
					t.Errorf("new group = %+v, want the pool's, for the store to look up", g)
				}
			},
		},
		{
			name: "add-only removes nothing", policy: AddOnly, stored: stored(),
			snapshot: stating(60, func(s *Snapshot) { s.Groups = refs("editors") }),
			fields:   []string{"groups"}, added: []string{"editors"},
		},
		{
			name: "groups not known say nothing", stored: stored(),
			snapshot: stating(60, func(s *Snapshot) { s.Groups, s.GroupsKnown = nil, false }),
		},
		{
			name: "no groups, and that is known", stored: stored(),
			snapshot: stating(60, func(s *Snapshot) { s.Groups = nil }),
			fields:   []string{"groups"}, removed: []string{"admins"},
		},
		{
			name: "groups have a time of their own", stored: stored(func(u *User) { u.GroupsAsOf = at(-100) }),
			snapshot: stating(-1, func(s *Snapshot) { s.Name, s.Groups = "Old", nil }),
			fields:   []string{"groups"}, removed: []string{"admins"},
			check: func(t *testing.T, c Change) {
				if c.User.Name != "Alice Smith" || !c.User.AsOf.Equal(t0) || !c.User.GroupsAsOf.Equal(at(-1)) {
					t.Errorf("user = %+v", c.User)
				}
			},
		},
		{
			name: "a local membership that the pool comes to state", stored: stored(),
			snapshot: stating(60, func(s *Snapshot) { s.Groups = refs("admins", "analysts", "locals") }),
			fields:   []string{"groups"},
			check: func(t *testing.T, c Change) {
				if got := names(c.User.Groups); got != "admins(p) analysts(pl) locals(pl)" || c.User.Groups[2].Origin != OriginPool {
					t.Errorf("groups = %s, origin %s", got, c.User.Groups[2].Origin)
				}
			},
		},
		{
			name: "a group named twice counts once", stored: stored(),
			snapshot: stating(60, func(s *Snapshot) { s.Groups = refs("x", "admins", "x", "analysts") }),
			fields:   []string{"groups"}, added: []string{"x"},
		},
		{
			name: "a precedence is stated", stored: stored(),
			snapshot: stating(60, func(s *Snapshot) { s.Groups[0].Precedence = intp(1) }),
			fields:   []string{"groups"},
			check: func(t *testing.T, c Change) {
				if g := c.User.Groups[0]; *g.Precedence != 1 || !g.AsOf.Equal(at(60)) || c.Before.Groups[0].Precedence != nil {
					t.Errorf("group = %+v", g)
				}
			},
		},
		{
			name: "a token does not take a precedence away", stored: stored(func(u *User) { u.Groups[0].Precedence = intp(1) }),
			snapshot: stating(60),
		},
		{
			name: "an older precedence changes nothing",
			stored: stored(func(u *User) {
				u.Groups[0].Precedence, u.Groups[0].AsOf = intp(1), at(90)
			}),
			snapshot: stating(60, func(s *Snapshot) { s.Groups[0].Precedence = intp(2) }),
		},
		{
			name: "S-113: look-alikes are other groups", stored: stored(),
			snapshot: stating(60, func(s *Snapshot) { s.Groups = refs("Admins", "admins ", "ADMINS", "ｓ", "analysts") }),
			fields:   []string{"groups"}, added: []string{"ADMINS", "Admins", "admins ", "ｓ"}, removed: []string{"admins"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := test.snapshot.Validate(); err != nil {
				t.Fatal(err)
			}
			was := *stored()
			c := Decide(test.policy, test.stored, test.snapshot, now)
			if !slices.Equal(c.Fields, test.fields) || !slices.Equal(c.GroupsAdded, test.added) || !slices.Equal(c.GroupsRemoved, test.removed) {
				t.Errorf("Decide: fields %q, added %q, removed %q; want %q, %q, %q",
					c.Fields, c.GroupsAdded, c.GroupsRemoved, test.fields, test.added, test.removed)
			}
			if !slices.IsSorted(c.Fields) {
				t.Errorf("fields %q are not sorted", c.Fields)
			}
			if c.Empty() != (len(test.fields) == 0) || c.Created || c.User.ID != was.ID {
				t.Errorf("Decide: empty %v, created %v, ID %d", c.Empty(), c.Created, c.User.ID)
			}
			if test.check != nil {
				test.check(t, c)
			}
			if again := Decide(test.policy, &c.User, test.snapshot, now); !again.Empty() {
				t.Errorf("the same snapshot again changes %q", again.Fields)
			}
		})
	}
}

func TestDecideNewUser(t *testing.T) {
	s := stating(0, func(s *Snapshot) {
		s.SignIn, s.Groups = true, append(refs("b", "a"), GroupRef{Name: "eu-west-1_Ab12Cd34E_Google"})
	})
	c := Decide(Mirror, nil, s, now)
	if !c.Created || c.Empty() || c.Before != nil || !c.User.Enabled {
		t.Fatalf("change = %+v", c)
	}
	if got := names(c.User.Groups); got != "a(p) b(p) eu-west-1_Ab12Cd34E_Google(p)" {
		t.Errorf("groups = %s", got)
	}
	if !slices.Equal(c.GroupsAdded, []string{"a", "b", "eu-west-1_Ab12Cd34E_Google"}) {
		t.Errorf("added = %q", c.GroupsAdded)
	}
	u := c.User
	if !u.Created.Equal(now) || !u.Updated.Equal(now) || !u.AsOf.Equal(t0) || !u.GroupsAsOf.Equal(t0) || !u.FirstSignIn.Equal(t0) || !u.LastSignIn.Equal(t0) {
		t.Errorf("times = %+v", u)
	}
	if disabled := Decide(Mirror, nil, stating(0, func(s *Snapshot) { s.Enabled = &no }), now); disabled.User.Enabled {
		t.Error("a user first stated to be disabled is enabled")
	}
}

// TestDecideKeepsItsArguments: a store may decide again about what it read.
func TestDecideKeepsItsArguments(t *testing.T) {
	u := stored()
	Decide(Mirror, u, stating(60, func(s *Snapshot) { s.Groups, s.Custom = refs("x"), map[string]string{"custom:team": "blue"} }), now)
	DecideGrant(*u, "admins", now)
	DecideRevoke(*u, "locals", now)
	if !reflect.DeepEqual(u, stored()) {
		t.Errorf("the stored user became %+v", u)
	}
}

func TestDecideKeepsMicroseconds(t *testing.T) {
	s := stating(0, func(s *Snapshot) { s.At = t0.Add(1234567) })
	c := Decide(Mirror, nil, s, now)
	if want := t0.Add(1234 * time.Microsecond); !c.User.AsOf.Equal(want) {
		t.Errorf("AsOf = %v, want %v", c.User.AsOf, want)
	}
	s.Name = "Other"
	if again := Decide(Mirror, &c.User, s, now); again.Empty() {
		t.Error("a statement of the same time counts as older, for what was cut off")
	}
}

func TestS116_ProviderGroupsGiveNoRole(t *testing.T) {
	for _, test := range []struct {
		name, group string
		origin      Origin
		in          bool
	}{
		{"made by Cognito for a provider", "eu-west-1_Ab12Cd34E_Google", OriginProvider, false},
		{"named like one by hand", "eu-west-1_Ab12Cd34E_admins", OriginProvider, false},
		{"the pool's id alone", "eu-west-1_Ab12Cd34E", OriginPool, true},
		{"another pool's id", "eu-west-1_Zz99Zz99Z_Google", OriginPool, true},
		{"another case", "EU-WEST-1_Ab12Cd34E_Google", OriginPool, true},
		{"any other name", "admins", OriginPool, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			u := Decide(Mirror, nil, stating(0, func(s *Snapshot) { s.Groups = refs(test.group) }), now).User
			if u.Groups[0].Origin != test.origin || u.InGroup(test.group) != test.in {
				t.Errorf("origin %q, InGroup %v; want %q, %v", u.Groups[0].Origin, u.InGroup(test.group), test.origin, test.in)
			}
			if u.InGroup("") || u.InGroup(test.group+" ") || u.InGroup(strings.ToUpper(test.group)) {
				t.Error("InGroup matches another name")
			}
		})
	}
}

func TestMergeGroup(t *testing.T) {
	group := func(origin Origin, precedence *int, seconds int) Group {
		return Group{ID: 3, Issuer: testIssuer, Name: "g", Origin: origin, Precedence: precedence, AsOf: at(seconds)}
	}
	for _, test := range []struct {
		name                 string
		stored, stated, want Group
		changed              bool
	}{
		{"nothing new", group(OriginPool, nil, 0), group(OriginPool, nil, 9), group(OriginPool, nil, 0), false},
		{"local becomes the pool's", group(OriginLocal, nil, 0), group(OriginPool, nil, 9), group(OriginPool, nil, 0), true},
		{"local becomes the provider's", group(OriginLocal, nil, 0), group(OriginProvider, nil, 9), group(OriginProvider, nil, 0), true},
		{"the pool's stays", group(OriginPool, nil, 0), group(OriginLocal, nil, 9), group(OriginPool, nil, 0), false},
		{"first precedence", group(OriginPool, nil, 0), group(OriginPool, intp(1), 9), group(OriginPool, intp(1), 9), true},
		{"same precedence", group(OriginPool, intp(1), 0), group(OriginPool, intp(1), 9), group(OriginPool, intp(1), 9), false},
		{"later precedence", group(OriginPool, intp(1), 0), group(OriginPool, intp(2), 9), group(OriginPool, intp(2), 9), true},
		{"earlier precedence", group(OriginPool, intp(1), 9), group(OriginPool, intp(2), 0), group(OriginPool, intp(1), 9), false},
		{"precedence not stated", group(OriginPool, intp(1), 0), group(OriginPool, nil, 9), group(OriginPool, intp(1), 0), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, changed := MergeGroup(test.stored, test.stated)
			if !reflect.DeepEqual(got, test.want) || changed != test.changed {
				t.Errorf("MergeGroup = %+v, %v; want %+v, %v", got, changed, test.want, test.changed)
			}
		})
	}
}

func TestDecideGone(t *testing.T) {
	for _, test := range []struct {
		name    string
		policy  Policy
		stored  *User
		began   time.Time
		fields  []string
		groups  string
		removed []string
	}{
		{name: "not stated since", stored: stored(), began: at(1), fields: []string{"deleted", "enabled", "groups"},
			groups: "analysts(l) locals(l)", removed: []string{"admins"}},
		{name: "stated at that time", stored: stored(), began: t0, groups: "admins(p) analysts(pl) locals(l)"},
		{name: "groups stated since", stored: stored(func(u *User) { u.GroupsAsOf = at(5) }), began: at(1), groups: "admins(p) analysts(pl) locals(l)"},
		{name: "groups never stated", stored: stored(func(u *User) { u.Groups, u.GroupsAsOf = nil, time.Time{} }), began: at(1), fields: []string{"deleted", "enabled"}},
		{name: "disabled before", stored: stored(func(u *User) { u.Enabled, u.Groups = false, nil }), began: at(1), fields: []string{"deleted"}},
		{name: "deleted before", stored: stored(func(u *User) { u.Deleted = t0 }), began: at(1), groups: "admins(p) analysts(pl) locals(l)"},
		{name: "add-only", policy: AddOnly, stored: stored(), began: at(1), fields: []string{"deleted", "enabled"}, groups: "admins(p) analysts(pl) locals(l)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := clone(*test.stored)
			c := DecideGone(test.policy, *test.stored, test.began, now)
			if !slices.Equal(c.Fields, test.fields) || names(c.User.Groups) != test.groups || !slices.Equal(c.GroupsRemoved, test.removed) || c.GroupsAdded != nil {
				t.Errorf("fields %q, groups %s, removed %q", c.Fields, names(c.User.Groups), c.GroupsRemoved)
			}
			if gone := test.fields != nil; gone && (!c.User.Deleted.Equal(now) || c.User.Enabled || !c.User.AsOf.Equal(test.began) || !c.User.GroupsAsOf.Equal(test.began) || !c.User.Updated.Equal(now)) ||
				!gone && !reflect.DeepEqual(c.User, before) || c.Confirmed() {
				t.Errorf("change = %+v", c)
			}
			if !reflect.DeepEqual(*test.stored, before) {
				t.Error("the stored user was changed")
			}
		})
	}
}

func TestDecideLocal(t *testing.T) {
	for _, test := range []struct {
		name           string
		decide         func(User, string, time.Time) Change
		group          string
		groups         string
		added, removed []string
		empty          bool
	}{
		{name: "grant", decide: DecideGrant, group: "new", groups: "admins(p) analysts(pl) locals(l) new(l)", added: []string{"new"}},
		{name: "grant again", decide: DecideGrant, group: "locals", groups: "admins(p) analysts(pl) locals(l)", empty: true},
		{name: "grant what the pool states", decide: DecideGrant, group: "admins", groups: "admins(pl) analysts(pl) locals(l)"},
		{name: "revoke", decide: DecideRevoke, group: "locals", groups: "admins(p) analysts(pl)", removed: []string{"locals"}},
		{name: "revoke what the pool states as well", decide: DecideRevoke, group: "analysts", groups: "admins(p) analysts(p) locals(l)"},
		{name: "revoke what only the pool states", decide: DecideRevoke, group: "admins", groups: "admins(p) analysts(pl) locals(l)", empty: true},
		{name: "revoke nothing", decide: DecideRevoke, group: "nobody", groups: "admins(p) analysts(pl) locals(l)", empty: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := test.decide(*stored(), test.group, now)
			if got := names(c.User.Groups); got != test.groups {
				t.Errorf("groups = %s, want %s", got, test.groups)
			}
			if c.Empty() != test.empty || !slices.Equal(c.GroupsAdded, test.added) || !slices.Equal(c.GroupsRemoved, test.removed) {
				t.Errorf("empty %v, added %q, removed %q", c.Empty(), c.GroupsAdded, c.GroupsRemoved)
			}
			if !c.User.AsOf.Equal(t0) || !c.User.GroupsAsOf.Equal(t0) {
				t.Error("a local decision moved the time of the pool's statement")
			}
		})
	}
}

func names(groups []Membership) string {
	var names []string
	for _, m := range groups {
		name := m.Name + "("
		if m.Pool {
			name += "p"
		}
		if m.Local {
			name += "l"
		}
		names = append(names, name+")")
	}
	return strings.Join(names, " ")
}
