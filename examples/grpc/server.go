package main

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/examples/grpc/orders"
	"github.com/codegrant/codegrant/examples/shop"
)

func newServer(auth *codegrant.Auth, s *shop.Shop) *grpc.Server {
	g := guard{auth, map[string]codegrant.Permission{
		"/shop.v1.Orders/": codegrant.SignedIn(),
		orders.WatchMethod: codegrant.InAnyGroup("admins", "analysts"),
	}}
	server := grpc.NewServer(grpc.UnaryInterceptor(g.unary), grpc.StreamInterceptor(g.stream))
	orders.RegisterOrdersServer(server, service{shop: s})
	return server
}

type service struct {
	shop *shop.Shop
}

func (s service) Place(ctx context.Context, request *orders.PlaceRequest) (*orders.Order, error) {
	return message(s.shop.Place(from(ctx).Subject, request.GetProduct())), nil
}

// Get decides by object: which one it is about, only the message says. To those who
// may not know, an order that does not exist is like somebody else's.
func (s service) Get(ctx context.Context, request *orders.GetRequest) (*orders.Order, error) {
	id := from(ctx)
	order, ok := s.shop.Order(request.GetId())
	switch own := ok && order.Owner == id.Subject; {
	case !own && !id.InGroup("admins"):
		return nil, status.Error(codes.PermissionDenied, "needs an order of your own")
	case !ok:
		return nil, status.Error(codes.NotFound, "there is no such order")
	}
	return message(order), nil
}

func (s service) Watch(_ *orders.WatchRequest, stream grpc.ServerStreamingServer[orders.Order]) error {
	for sent := 0; ; {
		list, err := s.shop.After(stream.Context(), sent)
		if err != nil {
			return err // the caller has gone, or may not go on
		}
		for _, order := range list {
			if err := stream.Send(message(order)); err != nil {
				return err
			}
		}
		sent += len(list)
	}
}

func message(o shop.Order) *orders.Order {
	return &orders.Order{Id: o.ID, Product: o.Product, Owner: o.Owner}
}
