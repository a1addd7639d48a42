/// `dashboards/elastic/logstash.conf`: JSON lines over TCP into the data stream. A line that is no JSON is kept in a data
/// stream of its own, so that it neither is lost nor spoils the mapping.
struct LogstashPipeline {
    var file: RenderedFile { RenderedFile("dashboards/elastic/logstash.conf", text) }

    private var text: String {
        """
        # \(RuleFile.comment)
        input {
          tcp {
            port => 5000
            codec => json_lines { ecs_compatibility => "v8" }
          }
        }

        filter {
          if "_jsonparsefailure" in [tags] {
            mutate {
              add_field => { "event.dataset" => "\(ElasticNames.unparsed)" }
            }
          }
          mutate {
            remove_field => ["host", "port"]
          }
        }

        output {
          if "_jsonparsefailure" in [tags] {
            elasticsearch {
              hosts => ["http://elasticsearch:9200"]
              data_stream => "true"
              data_stream_type => "logs"
              data_stream_dataset => "\(ElasticNames.unparsed)"
              data_stream_namespace => "\(ElasticNames.namespace)"
            }
          } else {
            elasticsearch {
              hosts => ["http://elasticsearch:9200"]
              data_stream => "true"
              data_stream_type => "logs"
              data_stream_dataset => "\(ElasticNames.dataset)"
              data_stream_namespace => "\(ElasticNames.namespace)"
            }
          }
        }

        """
    }
}
