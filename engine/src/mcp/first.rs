//! The first question of 2026-07-28, `server/discover`, to a server that may be older: rmcp begins with the handshake if
//! the answer is an error, and gives up if it is anything else.

use rmcp::model::{
    ClientJsonRpcMessage, ClientRequest, ErrorData, RequestId, ServerJsonRpcMessage, ServerResult,
};

/// The id, if this message is the first question.
pub fn question(message: &ClientJsonRpcMessage) -> Option<&RequestId> {
    match message {
        ClientJsonRpcMessage::Request(request)
            if matches!(request.request, ClientRequest::DiscoverRequest(_)) =>
        {
            Some(&request.id)
        }
        _ => None,
    }
}

/// The answer to it. Some older servers answer anything with an empty result: they did not understand it either.
pub fn answer(message: ServerJsonRpcMessage) -> ServerJsonRpcMessage {
    match &message {
        ServerJsonRpcMessage::Response(response)
            if !matches!(response.result, ServerResult::DiscoverResult(_)) =>
        {
            refused(&response.id)
        }
        _ => message,
    }
}

/// An answer that says that the server does not know the question.
pub fn refused(id: &RequestId) -> ServerJsonRpcMessage {
    let error = ErrorData::invalid_request("server/discover was refused", None);
    ServerJsonRpcMessage::error(error, Some(id.clone()))
}
