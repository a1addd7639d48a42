import ConsulTesting
import EventLoop
import TelemetryTesting
import Testing

/// The stand-in before a client that we did not write: py-consul parses what it answers, and says what such clients do.
@Suite struct IndependentClientTests {
    private static let worker = WorkerPool(threads: 1, capacity: 8, name: "judge")

    @Test func anIndependentClientFindsItsWayAroundTheStandIn() async throws {
        let consul = try await ConsulStandIn(group: ConsulClientTests.group)
        let url = consul.url
        let judged = try await Self.worker.run { try ChildProcess.python(Self.program, [Self.port(url)]) }
        #expect(judged.status == 0, "\(judged.errors)")
        #expect(judged.output == "services ok\nkeys ok\nblocking ok\n")
        await consul.stop()
    }

    @Test func anIndependentClientIsRefusedWithoutTheToken() async throws {
        let consul = try await ConsulStandIn(group: ConsulClientTests.group, token: "right-token")
        let url = consul.url
        let judged = try await Self.worker.run { try ChildProcess.python(Self.tokens, [Self.port(url)]) }
        #expect(judged.status == 0, "\(judged.errors)")
        #expect(judged.output == "tokens ok\n")
        await consul.stop()
    }

    private static func port(_ url: String) -> String { String(url.split(separator: ":").last ?? "") }

    private static let program = #"""
        import sys, threading, http.server, time
        import consul

        port = int(sys.argv[1])
        client = consul.Consul(host='127.0.0.1', port=port)

        # A service whose health can be turned on and off.
        healthy = True
        class Health(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200 if healthy else 503)
                self.send_header('Content-Length', '0')
                self.end_headers()
            def log_message(self, *args): pass
        server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Health)
        threading.Thread(target=server.serve_forever, daemon=True).start()

        def until(condition):
            for _ in range(600):
                if condition(): return
                time.sleep(0.1)
            raise AssertionError('it never came to be')

        def ids(**options):
            return [entry['Service']['ID'] for entry in client.health.service('web', **options)[1]]

        check = consul.Check.http(f'http://127.0.0.1:{server.server_port}/', '200ms', timeout='5s', deregister='1m')
        assert client.agent.service.register('web', service_id='web-1', address='127.0.0.1', port=server.server_port,
                                             tags=['a'], meta={'zone': 'north'}, check=check)
        # What nobody has checked yet does not pass.
        until(lambda: ids(passing=True) == ['web-1'])
        entry = client.health.service('web')[1][0]
        assert entry['Service']['Tags'] == ['a'] and entry['Service']['Meta'] == {'zone': 'north'}, entry
        assert entry['Service']['Port'] == server.server_port and entry['Service']['Address'] == '127.0.0.1', entry
        assert {check['Status'] for check in entry['Checks']} == {'passing'}, entry
        healthy = False
        until(lambda: ids(passing=True) == [])
        assert ids() == ['web-1']
        healthy = True
        until(lambda: ids(passing=True) == ['web-1'])
        assert client.agent.services()['web-1']['Service'] == 'web'
        assert client.agent.service.deregister('web-1')
        assert client.agent.services() == {}
        try:
            client.agent.service.deregister('web-1')
        except consul.NotFound:
            pass
        except Exception as error:
            assert '404' in str(error) or 'Unknown' in str(error), error
        print('services ok')

        index, nothing = client.kv.get('app/a')
        assert nothing is None and int(index) > 0
        assert client.kv.put('app/a', 'eins', flags=7) is True
        assert client.kv.put('app/b', b'\x00\xff') is True
        assert client.kv.put('app/empty', '') is True
        index, entry = client.kv.get('app/a')
        assert entry['Value'] == b'eins' and entry['Flags'] == 7 and entry['ModifyIndex'] == int(index), entry
        assert client.kv.get('app/empty')[1]['Value'] is None
        assert client.kv.put('app/a', 'zwei', cas=0) is False
        assert client.kv.put('app/a', 'zwei', cas=entry['ModifyIndex']) is True
        assert client.kv.put('app/a', 'drei', cas=entry['ModifyIndex']) is False
        entries = client.kv.get('app/', recurse=True)[1]
        assert [entry['Key'] for entry in entries] == ['app/a', 'app/b', 'app/empty'], entries
        assert client.kv.get('app/', keys=True)[1] == ['app/a', 'app/b', 'app/empty']
        assert client.kv.delete('app/b') is True
        assert client.kv.get('app/b')[1] is None
        print('keys ok')

        # A question that nothing answers comes back when its wait is over, with the same index.
        index, entries = client.kv.get('app/', recurse=True)
        again, same = client.kv.get('app/', recurse=True, index=index, wait='300ms')
        assert again == index and same == entries, (again, index)
        # One that a change answers comes back with a higher one.
        threading.Timer(0.3, lambda: consul.Consul(host='127.0.0.1', port=port).kv.delete('app/a')).start()
        later, entries = client.kv.get('app/', recurse=True, index=index, wait='60s')
        assert int(later) > int(index) and [entry['Key'] for entry in entries] == ['app/empty'], (later, entries)
        index, nobody = client.health.service('api', passing=True)
        assert nobody == [] and int(index) > 0
        threading.Timer(0.3, lambda: consul.Consul(host='127.0.0.1', port=port).agent.service.register(
            'api', service_id='api-1', port=80)).start()
        later, somebody = client.health.service('api', passing=True, index=index, wait='60s')
        assert int(later) > int(index) and somebody[0]['Service']['ID'] == 'api-1', somebody
        assert client.kv.delete('app/', recurse=True) is True
        assert client.kv.get('app/', recurse=True)[1] is None
        print('blocking ok')
        """#

    private static let tokens = #"""
        import sys
        import consul

        port = int(sys.argv[1])
        for token in (None, 'wrong'):
            stranger = consul.Consul(host='127.0.0.1', port=port, token=token)
            for attempt in (lambda: stranger.kv.put('k', 'v'), lambda: stranger.kv.get('k'),
                            lambda: stranger.agent.service.register('web')):
                try:
                    attempt()
                except consul.ACLPermissionDenied:
                    continue
                raise AssertionError('a stranger was let in')
        known = consul.Consul(host='127.0.0.1', port=port, token='right-token')
        assert known.kv.put('k', 'v') is True and known.kv.get('k')[1]['Value'] == b'v'
        assert known.agent.service.register('web') and len(known.health.service('web')[1]) == 1
        assert consul.Consul(host='127.0.0.1', port=port).health.service('web')[1] == []
        print('tokens ok')
        """#
}
