package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/codegrant/codegrant"
)

// guard is what a gRPC server needs to know who calls, and to refuse who may not:
//
//	grpc.NewServer(grpc.UnaryInterceptor(g.unary), grpc.StreamInterceptor(g.stream))
type guard struct {
	auth *codegrant.Auth
	// rules are by method (/shop.v1.Orders/Watch) or, where a method has none of
	// its own, by service (/shop.v1.Orders/). Without a rule nobody passes, so that
	// a method added later is not open by mistake.
	rules map[string]codegrant.Permission
}

type identityKey struct{}

// from returns who calls. It is for handlers behind a guard, where somebody does.
func from(ctx context.Context) *codegrant.Identity {
	id, _ := ctx.Value(identityKey{}).(*codegrant.Identity)
	return id
}

func (g guard) unary(ctx context.Context, message any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	id, err := g.admit(ctx, info.FullMethod)
	if err != nil {
		return nil, err
	}
	return handler(context.WithValue(ctx, identityKey{}, id), message)
}

// errExpired ends a stream whose token has.
var errExpired = status.Error(codes.Unauthenticated, "the access token has expired; call again with a new one")

// errRevoked ends a stream whose caller was signed out everywhere, or disabled.
var errRevoked = status.Error(codes.Unauthenticated, "the sign-in of the access token is over; sign in again")

// stream admits the caller for as long as the token is good: a stream can go on for
// longer than anybody's permission does.
func (g guard) stream(server any, s grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	id, err := g.admit(s.Context(), info.FullMethod)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithDeadlineCause(context.WithValue(s.Context(), identityKey{}, id), id.Expires, errExpired)
	defer cancel()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	go g.watch(ctx, end)
	err = handler(server, admitted{s, ctx})
	if cause := context.Cause(ctx); err != nil && (errors.Is(cause, errExpired) || errors.Is(cause, errRevoked)) {
		return cause
	}
	return err
}

// watch ends a stream when its token is refused. Who was signed out is known from memory,
// so that asking every second costs little. An outage ends nothing.
func (g guard) watch(ctx context.Context, end context.CancelCauseFunc) {
	token, err := bearer(ctx)
	if err != nil {
		end(err)
		return
	}
	every := time.NewTicker(time.Second)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		if _, err := g.auth.BearerOrMachine(ctx, token); err != nil && !errors.Is(err, codegrant.ErrUnavailable) {
			end(errRevoked)
			return
		}
	}
}

// bearer is the access token of a call.
func bearer(ctx context.Context) (string, error) {
	values := metadata.ValueFromIncomingContext(ctx, "authorization")
	if len(values) != 1 {
		return "", status.Error(codes.Unauthenticated, "send one authorization: Bearer <access token>")
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", status.Error(codes.Unauthenticated, "the authorization has to be Bearer <access token>")
	}
	return token, nil
}

// admit turns the authorization metadata of a call into an identity that may make
// it. Its errors are those that the caller gets: Unauthenticated (401 in HTTP),
// PermissionDenied (403) or Unavailable (503).
// Machines pass where the rule lets them, such as codegrant.Machine("orders/read").
func (g guard) admit(ctx context.Context, method string) (*codegrant.Identity, error) {
	token, err := bearer(ctx)
	if err != nil {
		return nil, err
	}
	id, err := g.auth.BearerOrMachine(ctx, token)
	switch {
	case errors.Is(err, codegrant.ErrUnavailable):
		return nil, unavailable(ctx, method, err)
	case err != nil: // which check failed is in the log
		return nil, status.Error(codes.Unauthenticated, "the token is expired, or not for this service")
	}

	rule, ok := g.rules[method]
	if !ok {
		rule, ok = g.rules[method[:strings.LastIndexByte(method, '/')+1]]
	}
	if !ok {
		slog.WarnContext(ctx, "call refused", "sub", id.Subject, "reason", "there is no rule", "method", method)
		return nil, status.Error(codes.PermissionDenied, "nobody may call this")
	}
	// Permissions ask about a request of HTTP, and a call is one.
	r := (&http.Request{Method: http.MethodPost, URL: &url.URL{Path: method}, Header: http.Header{}}).WithContext(ctx)
	err = g.auth.Authorize(ctx, id, r, rule)
	var again *codegrant.StepUpError
	switch {
	case errors.Is(err, codegrant.ErrUnavailable):
		return nil, unavailable(ctx, method, err)
	case errors.As(err, &again):
		// A token of another sign-in would do; RFC 9470 has words for it.
		_ = grpc.SetTrailer(ctx, metadata.Pairs("www-authenticate", again.Challenge()))
		return nil, status.Error(codes.Unauthenticated, "sign in again: needs "+rule.String())
	case err != nil:
		slog.WarnContext(ctx, "call refused", "sub", id.Subject, "reason", "needs "+rule.String(), "method", method)
		return nil, status.Error(codes.PermissionDenied, "needs "+rule.String())
	}
	return id, nil
}

func unavailable(ctx context.Context, method string, err error) error {
	slog.ErrorContext(ctx, "call failed", "reason", err, "method", method)
	return status.Error(codes.Unavailable, "it cannot be found out who calls, or whether they may; try again")
}

// admitted is a stream whose context knows who calls, and until when.
type admitted struct {
	grpc.ServerStream
	ctx context.Context
}

func (s admitted) Context() context.Context { return s.ctx }

func (s admitted) SendMsg(message any) error {
	if s.ctx.Err() != nil {
		return context.Cause(s.ctx)
	}
	return s.ServerStream.SendMsg(message)
}

func (s admitted) RecvMsg(message any) error {
	if err := s.ServerStream.RecvMsg(message); err != nil {
		return err
	}
	if s.ctx.Err() != nil { // while this waited
		return context.Cause(s.ctx)
	}
	return nil
}
