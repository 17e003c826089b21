package orders

import (
	"context"

	"google.golang.org/grpc"
)

// The methods, as interceptors see them.
const (
	PlaceMethod = "/shop.v1.Orders/Place"
	GetMethod   = "/shop.v1.Orders/Get"
	WatchMethod = "/shop.v1.Orders/Watch"
)

// OrdersServer takes and shows orders.
type OrdersServer interface {
	// Place takes an order of the caller.
	Place(context.Context, *PlaceRequest) (*Order, error)
	// Get shows an order to its owner, and to admins.
	Get(context.Context, *GetRequest) (*Order, error)
	// Watch sends every order, and then each as it comes.
	Watch(*WatchRequest, grpc.ServerStreamingServer[Order]) error
}

// RegisterOrdersServer has a server answer for the service.
func RegisterOrdersServer(s grpc.ServiceRegistrar, orders OrdersServer) {
	s.RegisterService(&service, orders)
}

var service = grpc.ServiceDesc{
	ServiceName: "shop.v1.Orders",
	HandlerType: (*OrdersServer)(nil),
	Methods: []grpc.MethodDesc{
		{MethodName: "Place", Handler: unary(PlaceMethod, OrdersServer.Place)},
		{MethodName: "Get", Handler: unary(GetMethod, OrdersServer.Get)},
	},
	Streams:  []grpc.StreamDesc{{StreamName: "Watch", Handler: watch, ServerStreams: true}},
	Metadata: "orders.proto",
}

// unary reads a request, and asks the interceptor before the method.
func unary[In any](name string, method func(OrdersServer, context.Context, *In) (*Order, error)) grpc.MethodHandler {
	return func(server any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
		in := new(In)
		if err := decode(in); err != nil {
			return nil, err
		}
		call := func(ctx context.Context, in any) (any, error) { return method(server.(OrdersServer), ctx, in.(*In)) }
		if interceptor == nil {
			return call(ctx, in)
		}
		return interceptor(ctx, in, &grpc.UnaryServerInfo{Server: server, FullMethod: name}, call)
	}
}

func watch(server any, stream grpc.ServerStream) error {
	in := new(WatchRequest)
	if err := stream.RecvMsg(in); err != nil {
		return err
	}
	return server.(OrdersServer).Watch(in, &grpc.GenericServerStream[WatchRequest, Order]{ServerStream: stream})
}

// OrdersClient asks the service.
type OrdersClient struct{ conn grpc.ClientConnInterface }

// NewOrdersClient asks over a connection, which stays the caller's to close.
func NewOrdersClient(conn grpc.ClientConnInterface) OrdersClient { return OrdersClient{conn} }

// Place orders for the caller.
func (c OrdersClient) Place(ctx context.Context, in *PlaceRequest, options ...grpc.CallOption) (*Order, error) {
	return c.ask(ctx, PlaceMethod, in, options)
}

// Get shows an order.
func (c OrdersClient) Get(ctx context.Context, in *GetRequest, options ...grpc.CallOption) (*Order, error) {
	return c.ask(ctx, GetMethod, in, options)
}

func (c OrdersClient) ask(ctx context.Context, method string, in any, options []grpc.CallOption) (*Order, error) {
	out := new(Order)
	if err := c.conn.Invoke(ctx, method, in, out, options...); err != nil {
		return nil, err
	}
	return out, nil
}

// Watch receives every order, and then each as it comes.
func (c OrdersClient) Watch(ctx context.Context, in *WatchRequest, options ...grpc.CallOption) (grpc.ServerStreamingClient[Order], error) {
	stream, err := c.conn.NewStream(ctx, &service.Streams[0], WatchMethod, options...)
	if err != nil {
		return nil, err
	}
	orders := &grpc.GenericClientStream[WatchRequest, Order]{ClientStream: stream}
	if err := orders.SendMsg(in); err != nil {
		return nil, err
	}
	return orders, orders.CloseSend()
}
