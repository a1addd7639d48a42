"""Decodes OTLP requests with code that is not ours: decode_spans.py FOLDER TRACE prints one JSON object a span."""
import gzip
import json
import pathlib
import sys

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

folder, wanted = sys.argv[1:3]
for path in sorted(pathlib.Path(folder).iterdir()):
    body = path.read_bytes()
    request = ExportTraceServiceRequest.FromString(gzip.decompress(body) if path.suffix == ".gz" else body)
    for resource in request.resource_spans:
        service = next(a.value.string_value for a in resource.resource.attributes if a.key == "service.name")
        for scope in resource.scope_spans:
            for span in scope.spans:
                if span.trace_id.hex() != wanted:
                    continue
                print(json.dumps({
                    "service": service, "name": span.name, "kind": span.kind, "trace": span.trace_id.hex(),
                    "span": span.span_id.hex(), "parent": span.parent_span_id.hex(),
                    "links": [link.span_id.hex() for link in span.links],
                }))
