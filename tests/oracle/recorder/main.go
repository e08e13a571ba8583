// recorder LISTEN RUNTIME LOG: a gRPC proxy between a node agent and its container runtime that writes each
// request and each answer as one JSON line. Messages are forwarded as the bytes that came, so that fields
// which this program does not know survive.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	_ "k8s.io/cri-api/pkg/apis/runtime/v1"
)

const maxMessage = 64 << 20

// raw is the codec of both sides: a message is its bytes.
type raw struct{}

func (raw) Name() string                  { return "proto" }
func (raw) Marshal(v any) ([]byte, error) { return *(v.(*[]byte)), nil }
func (raw) Unmarshal(b []byte, v any) error {
	*(v.(*[]byte)) = append([]byte(nil), b...)
	return nil
}

type line struct {
	Seq    int             `json:"seq"`
	Call   int             `json:"call"`
	Time   string          `json:"time"`
	Method string          `json:"method"`
	Kind   string          `json:"kind"` // request, response, end
	Body   json.RawMessage `json:"body,omitempty"`
	Code   string          `json:"code,omitempty"`
	Error  string          `json:"error,omitempty"`
}

type recorder struct {
	mu   sync.Mutex
	out  io.Writer
	seq  int
	call int
	conn *grpc.ClientConn
}

func (r *recorder) nextCall() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.call++
	return r.call
}

func (r *recorder) write(l line) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seq++
	l.Seq = r.seq
	l.Time = time.Now().UTC().Format("2006-01-02T15:04:05.000000Z")
	b, err := json.Marshal(l)
	if err != nil {
		b, _ = json.Marshal(line{Seq: l.Seq, Call: l.Call, Method: l.Method, Kind: l.Kind, Error: err.Error()})
	}
	r.out.Write(append(b, '\n'))
}

// decode renders the bytes of one message of a method; nil when the method is not of the CRI.
func decode(method string, request bool, b []byte) json.RawMessage {
	name := strings.ReplaceAll(strings.TrimPrefix(method, "/"), "/", ".")
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
	if err != nil {
		return nil
	}
	m, ok := d.(protoreflect.MethodDescriptor)
	if !ok {
		return nil
	}
	of := m.Output()
	if request {
		of = m.Input()
	}
	t, err := protoregistry.GlobalTypes.FindMessageByName(of.FullName())
	if err != nil {
		return nil
	}
	msg := t.New().Interface()
	if err := proto.Unmarshal(b, msg); err != nil {
		return nil
	}
	j, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(msg)
	if err != nil {
		return nil
	}
	return j
}

func (r *recorder) forward(_ any, in grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(in)
	call := r.nextCall()
	ctx := in.Context()
	if md, ok := metadata.FromIncomingContext(ctx); ok {
		ctx = metadata.NewOutgoingContext(ctx, md)
	}
	desc := &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}
	out, err := r.conn.NewStream(ctx, desc, method, grpc.ForceCodec(raw{}))
	if err != nil {
		return err
	}
	go func() {
		for {
			var b []byte
			if err := in.RecvMsg(&b); err != nil {
				out.CloseSend()
				return
			}
			r.write(line{Call: call, Method: method, Kind: "request", Body: decode(method, true, b)})
			if out.SendMsg(&b) != nil {
				return
			}
		}
	}()
	for {
		var b []byte
		err := out.RecvMsg(&b)
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			s := status.Convert(err)
			if s.Code() != codes.OK {
				r.write(line{Call: call, Method: method, Kind: "end", Code: s.Code().String(), Error: s.Message()})
			}
			in.SetTrailer(out.Trailer())
			return s.Err()
		}
		r.write(line{Call: call, Method: method, Kind: "response", Body: decode(method, false, b)})
		if err := in.SendMsg(&b); err != nil {
			return err
		}
	}
}

func run(listen, runtime, log string) error {
	f, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	conn, err := grpc.NewClient("unix://"+runtime, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)))
	if err != nil {
		return err
	}
	os.Remove(listen)
	l, err := net.Listen("unix", listen)
	if err != nil {
		return err
	}
	r := &recorder{out: f, conn: conn}
	s := grpc.NewServer(grpc.ForceServerCodec(raw{}), grpc.UnknownServiceHandler(r.forward),
		grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage))
	return s.Serve(l)
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: recorder LISTEN RUNTIME LOG")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "recorder:", err)
		os.Exit(1)
	}
}
