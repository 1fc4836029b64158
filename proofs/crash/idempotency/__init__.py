"""The same request many times at once over two servers, and other requests under the same key."""
