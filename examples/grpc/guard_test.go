package main

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/localpool"
)

// newGuard returns a guard before a pool, and a function that has the pool sign an
// access token.
func newGuard(t *testing.T, rules map[string]codegrant.Permission) (guard, *codegranttest.Pool, func(time.Time) string) {
	t.Helper()
	pool := codegranttest.NewPool(t, nil)
	auth, err := codegrant.New(codegrant.Config{Pool: pool.Register("http://localhost:8080")})
	if err != nil {
		t.Fatal(err)
	}
	token := func(expires time.Time) string {
		token, err := pool.MintToken(pool.PoolID, map[string]any{
			"iss": pool.URL + "/" + pool.PoolID, "sub": "5c9b2c9e-0001-7000-8000-000000000001", "username": "robin",
			"client_id": pool.ClientID, "token_use": "access", "scope": "openid",
			"iat": time.Now().Add(-time.Minute).Unix(), "exp": expires.Unix(),
		})
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	return guard{auth, rules}, pool, token
}

func incoming(t *testing.T, pairs ...string) context.Context {
	return metadata.NewIncomingContext(t.Context(), metadata.Pairs(pairs...))
}

func TestGuard(t *testing.T) {
	broken := codegrant.PermissionFunc("luck", func(context.Context, *codegrant.Identity, *http.Request) (bool, error) {
		return true, errors.New("the database is away")
	})
	g, _, token := newGuard(t, map[string]codegrant.Permission{
		"/shop.v1.Orders/":        codegrant.SignedIn(),
		"/shop.v1.Orders/Watch":   codegrant.InGroup("analysts"),
		"/shop.v1.Orders/Read":    codegrant.Any(codegrant.InGroup("analysts"), codegrant.ReadOnly()),
		"/shop.v1.Orders/Chancy":  broken,
		"/shop.v1.Orders/Refund":  codegrant.MinimumLevel("urn:cognito:loa:4"),
		"/shop.v1.OrdersArchive/": codegrant.InGroup("analysts"),
	})
	good := token(time.Now().Add(time.Hour))
	tests := []struct {
		name, method string
		metadata     []string
		want         codes.Code
	}{
		{"rule of the service", "/shop.v1.Orders/Place", []string{"authorization", "Bearer " + good}, codes.OK},
		{"scheme in lower case", "/shop.v1.Orders/Place", []string{"authorization", "bearer " + good}, codes.OK},
		{"rule of the method goes first", "/shop.v1.Orders/Watch", []string{"authorization", "Bearer " + good}, codes.PermissionDenied},
		{"no call is a reading one", "/shop.v1.Orders/Read", []string{"authorization", "Bearer " + good}, codes.PermissionDenied},
		{"no rule", "/shop.v1.Other/Place", []string{"authorization", "Bearer " + good}, codes.PermissionDenied},
		{"a service of a longer name", "/shop.v1.OrdersArchive/Place", []string{"authorization", "Bearer " + good}, codes.PermissionDenied},
		{"a rule that cannot tell", "/shop.v1.Orders/Chancy", []string{"authorization", "Bearer " + good}, codes.Unavailable},
		{"a sign-in that is not enough", "/shop.v1.Orders/Refund", []string{"authorization", "Bearer " + good}, codes.Unauthenticated},
		{"nothing", "/shop.v1.Orders/Place", nil, codes.Unauthenticated},
		{"no token", "/shop.v1.Orders/Place", []string{"authorization", "Bearer "}, codes.Unauthenticated},
		{"no scheme", "/shop.v1.Orders/Place", []string{"authorization", good}, codes.Unauthenticated},
		{"another scheme", "/shop.v1.Orders/Place", []string{"authorization", "Basic " + good}, codes.Unauthenticated},
		{"two of them", "/shop.v1.Orders/Place", []string{"authorization", "Bearer " + good, "authorization", "Bearer " + good}, codes.Unauthenticated},
		{"damaged", "/shop.v1.Orders/Place", []string{"authorization", "Bearer " + good[:len(good)-8] + "AAAAAAAA"}, codes.Unauthenticated},
		{"expired", "/shop.v1.Orders/Place", []string{"authorization", "Bearer " + token(time.Now().Add(-6*time.Minute))}, codes.Unauthenticated},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var who *codegrant.Identity
			_, err := g.unary(incoming(t, tt.metadata...), nil, &grpc.UnaryServerInfo{FullMethod: tt.method}, func(ctx context.Context, _ any) (any, error) {
				who = from(ctx)
				return nil, nil
			})
			if status.Code(err) != tt.want {
				t.Errorf("%s: %v, want %v", tt.method, err, tt.want)
			}
			if (who != nil) != (tt.want == codes.OK) || who != nil && who.Username != "robin" {
				t.Errorf("the handler saw %v", who)
			}
		})
	}
}

// TestGuardWithoutKeys shows that an outage of the pool is never held against the
// caller.
func TestGuardWithoutKeys(t *testing.T) {
	g, pool, token := newGuard(t, map[string]codegrant.Permission{"/shop.v1.Orders/": codegrant.SignedIn()})
	pool.Fault(localpool.JWKS, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	_, err := g.unary(incoming(t, "authorization", "Bearer "+token(time.Now().Add(time.Hour))), nil,
		&grpc.UnaryServerInfo{FullMethod: "/shop.v1.Orders/Place"}, func(context.Context, any) (any, error) {
			t.Error("the handler ran")
			return nil, nil
		})
	if status.Code(err) != codes.Unavailable {
		t.Errorf("%v, want %v", err, codes.Unavailable)
	}
}

// silent is a stream that takes every message and has nothing to say.
type silent struct {
	grpc.ServerStream
	ctx context.Context
}

func (s silent) Context() context.Context { return s.ctx }
func (s silent) SendMsg(any) error        { return nil }
func (s silent) RecvMsg(any) error        { return nil }

// TestGuardEndsStreams shows that a stream ends with its token, whatever the
// handler does: wait, send or receive.
func TestGuardEndsStreams(t *testing.T) {
	g, _, token := newGuard(t, map[string]codegrant.Permission{"/shop.v1.Orders/": codegrant.SignedIn()})
	handlers := map[string]func(grpc.ServerStream) error{
		"waits":    func(s grpc.ServerStream) error { <-s.Context().Done(); return s.Context().Err() },
		"sends":    func(s grpc.ServerStream) error { <-s.Context().Done(); return s.SendMsg(nil) },
		"receives": func(s grpc.ServerStream) error { <-s.Context().Done(); return s.RecvMsg(nil) },
	}
	for name, handler := range handlers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := silent{ctx: incoming(t, "authorization", "Bearer "+token(time.Now().Add(3*time.Second)))}
			ran := false
			err := g.stream(nil, s, &grpc.StreamServerInfo{FullMethod: "/shop.v1.Orders/Watch"}, func(_ any, s grpc.ServerStream) error {
				ran = from(s.Context()) != nil && s.SendMsg(nil) == nil && s.RecvMsg(nil) == nil
				return handler(s)
			})
			if !ran || status.Code(err) != codes.Unauthenticated {
				t.Errorf("ran %v, ended with %v, want %v", ran, err, codes.Unauthenticated)
			}
		})
	}
}

// TestGuardEndsStreamsOfWhoIsSignedOut: the token is good for an hour, and its stream ends
// all the same.
func TestGuardEndsStreamsOfWhoIsSignedOut(t *testing.T) {
	g, _, token := newGuard(t, map[string]codegrant.Permission{"/shop.v1.Orders/": codegrant.SignedIn()})
	s := silent{ctx: incoming(t, "authorization", "Bearer "+token(time.Now().Add(time.Hour)))}
	var took time.Duration
	err := g.stream(nil, s, &grpc.StreamServerInfo{FullMethod: "/shop.v1.Orders/Watch"}, func(_ any, s grpc.ServerStream) error {
		if _, err := g.auth.SignOutEverywhere(s.Context(), from(s.Context()).Subject, "robin"); err != nil {
			return err
		}
		marked := time.Now()
		select {
		case <-s.Context().Done():
		case <-time.After(time.Minute):
			t.Error("the stream goes on")
		}
		took = time.Since(marked)
		return s.SendMsg(nil)
	})
	if !errors.Is(err, errRevoked) {
		t.Errorf("ended with %v after %v, want %v", err, took, errRevoked)
	}
}

// TestGuardAdmitsMachines: where the rule lets them in, with the scopes that it names.
func TestGuardAdmitsMachines(t *testing.T) {
	g, pool, _ := newGuard(t, map[string]codegrant.Permission{
		"/shop.v1.Orders/":       codegrant.Any(codegrant.SignedIn(), codegrant.Machine("orders/read")),
		"/shop.v1.Orders/Place":  codegrant.Machine("orders/write"),
		"/shop.v1.Orders/Refund": codegrant.SignedIn(),
	})
	token, err := pool.MintToken(pool.PoolID, map[string]any{
		"iss": pool.URL + "/" + pool.PoolID, "sub": pool.ClientID, "client_id": pool.ClientID, "token_use": "access",
		"scope": "orders/read", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	})
	if err != nil {
		t.Fatal(err)
	}
	for method, want := range map[string]codes.Code{"Get": codes.OK, "Place": codes.PermissionDenied, "Refund": codes.PermissionDenied} {
		var who *codegrant.Identity
		_, err := g.unary(incoming(t, "authorization", "Bearer "+token), nil, &grpc.UnaryServerInfo{FullMethod: "/shop.v1.Orders/" + method}, func(ctx context.Context, _ any) (any, error) {
			who = from(ctx)
			return nil, nil
		})
		if status.Code(err) != want || (who != nil) != (want == codes.OK) || who != nil && (!who.Machine || who.ClientID != pool.ClientID) {
			t.Errorf("%s: %v for %v, want %v", method, err, who, want)
		}
	}
}
