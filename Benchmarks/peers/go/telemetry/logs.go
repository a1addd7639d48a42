package main

import (
	"io"
	"os"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

var paths = []string{"/order-api/orders/", "/catalog-api/products/42", "/cart-api/items", "/api/users/login"}

const microseconds = "2006-01-02T15:04:05.000000Z07:00"

// The same line as ours: the members that never change are prepared by the library, too.
func init() {
	rows["log"] = row{1, func() func(int) {
		zerolog.TimeFieldFormat = microseconds
		zerolog.TimestampFunc = func() time.Time { return time.Now().UTC() }
		zerolog.TimestampFieldName = "@timestamp"
		zerolog.LevelFieldName = "log.level"
		logger := zerolog.New(io.Discard).With().Timestamp().Str("ecs.version", "9.0.0").Str("service.name", "orders").
			Str("event.dataset", "orders.log").Str("log.logger", "orders").Int("process.pid", os.Getpid()).Logger()
		return func(times int) {
			for i := 0; i < times; i++ {
				logger.Info().Str("event.action", "http.request").Str("http.request.method", "GET").
					Str("url.path", paths[i&3]).Int("http.response.status_code", 200).
					Int("event.duration", 1000000+i).Msg("request answered")
			}
		}
	}}
	rows["log-zap"] = row{1, func() func(int) {
		config := zap.NewProductionEncoderConfig()
		config.TimeKey, config.LevelKey, config.MessageKey = "@timestamp", "log.level", "message"
		config.EncodeTime = func(at time.Time, encoder zapcore.PrimitiveArrayEncoder) {
			encoder.AppendString(at.UTC().Format(microseconds))
		}
		core := zapcore.NewCore(zapcore.NewJSONEncoder(config), zapcore.AddSync(io.Discard), zap.InfoLevel)
		logger := zap.New(core).With(zap.String("ecs.version", "9.0.0"), zap.String("service.name", "orders"),
			zap.String("event.dataset", "orders.log"), zap.String("log.logger", "orders"),
			zap.Int("process.pid", os.Getpid()))
		return func(times int) {
			for i := 0; i < times; i++ {
				logger.Info("request answered", zap.String("event.action", "http.request"),
					zap.String("http.request.method", "GET"), zap.String("url.path", paths[i&3]),
					zap.Int("http.response.status_code", 200), zap.Int("event.duration", 1000000+i))
			}
		}
	}}
}
