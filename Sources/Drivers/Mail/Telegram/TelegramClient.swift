package import EventLoop
internal import FoundationEssentials
package import Telemetry

/// Sends texts to a chat through Telegram's Bot API (`sendMessage`), by libcurl on a worker pool.
///
/// The bot's token is part of the address: neither errors nor telemetry ever hold it.
package final class TelegramClient: Sendable {
    /// Where and as whom.
    package struct Configuration: Sendable, CustomStringConvertible, CustomReflectable {
        /// `https://api.telegram.org`, or a Bot API server of one's own.
        package let baseURL: String
        /// A secret.
        package let token: String
        /// A chat's number, or `@channel`.
        package let chat: String

        package init(baseURL: String, token: String, chat: String) {
            self.baseURL = baseURL.hasSuffix("/") ? String(baseURL.dropLast()) : baseURL
            self.token = token
            self.chat = chat
        }

        /// Without the token.
        package var description: String { "telegram \(baseURL)" }
        package var customMirror: Mirror { Mirror(self, children: []) }
    }

    /// Characters (UTF-16 code units) that one message may have.
    package static let maxTextLength = 4_096
    /// The longest pause that the server may ask for, in seconds.
    private static let maxRetryAfterSeconds = 3_600

    private let configuration: Configuration
    private let workers: WorkerPool
    private let telemetry: TelegramTelemetry

    package init(_ configuration: Configuration, workers: WorkerPool, telemetry: Telemetry) {
        self.configuration = configuration
        self.workers = workers
        self.telemetry = TelegramTelemetry(telemetry)
    }

    /// Sends a text as it is, without markup; one that is too long is cut and says so.
    /// - Throws: `TelegramError`.
    package func send(_ text: String) async throws {
        let body = try JSONEncoder().encode(Message(chat_id: configuration.chat, text: Self.fitting(text)))
        let post = HTTPPost(url: "\(configuration.baseURL)/bot\(configuration.token)/sendMessage", body: Array(body))
        try await telemetry.observe(HTTPPost.host(of: configuration.baseURL)) {
            let answer: HTTPPost.Answer
            do {
                answer = try await workers.run { try post.perform() }
            } catch let failure as HTTPPost.Failure {
                throw TelegramError.unavailable(failure.description)
            } catch is WorkerPool.Saturated {
                throw TelegramError.unavailable("too much work waits already")
            }
            if let error = Self.error(answer) { throw error }
        }
    }

    private struct Message: Encodable {
        let chat_id: String
        let text: String
        let disable_web_page_preview = true
    }

    /// What the Bot API answers, as far as it matters.
    private struct Reply: Decodable {
        struct Parameters: Decodable { let retry_after: Int? }
        let ok: Bool
        let parameters: Parameters?
    }

    private static func error(_ answer: HTTPPost.Answer) -> TelegramError? {
        let reply = try? JSONDecoder().decode(Reply.self, from: Data(answer.body))
        switch answer.status {
        case 200 where reply?.ok == true: return nil
        case 429:
            let seconds = reply?.parameters?.retry_after ?? 1
            return .limited(retryAfterSeconds: min(max(1, seconds), maxRetryAfterSeconds))
        // The text or the chat: the same message will not do better. A wrong token (401, 404) is mended by somebody.
        case 400, 403: return .refused(status: answer.status)
        default: return .unavailable("it answered \(answer.status)")
        }
    }

    /// The text within the limit of a message, at the end of a line where one is near.
    package static func fitting(_ text: String) -> String {
        guard text.utf16.count > maxTextLength else { return text }
        let note = "\n… (cut: the rest is in the e-mail)"
        var cut = ""
        var length = 0
        for character in text {
            length += character.utf16.count
            if length > maxTextLength - note.utf16.count { break }
            cut.append(character)
        }
        if let end = cut.lastIndex(of: "\n"), cut.distance(from: end, to: cut.endIndex) < maxTextLength / 4 {
            cut = String(cut[..<end])
        }
        return cut + note
    }
}

/// Why a text did not reach its chat: fixed words and numbers, never the address.
package enum TelegramError: Error, Sendable, Equatable, ErrorTypeProviding, CustomStringConvertible {
    /// Too many messages: not before so many seconds.
    case limited(retryAfterSeconds: Int)
    /// This text or this chat, for good.
    case refused(status: Int)
    /// Another attempt may succeed.
    case unavailable(String)

    package var errorType: String {
        switch self {
        case .limited: "limited"
        case .refused: "refused"
        case .unavailable: "unavailable"
        }
    }

    package var description: String {
        switch self {
        case .limited(let seconds): "Telegram asks to wait for \(seconds) s"
        case .refused(let status): "Telegram refused the message with \(status): check the chat and the bot's rights"
        case .unavailable(let what): "Telegram: \(what)"
        }
    }
}
