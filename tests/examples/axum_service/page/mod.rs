//! The page of the example, over sockets and in a browser.

mod browser;
mod in_a_browser;
mod over_sockets;
