//! What operators are shown, in the form of tincd 1.0.36.

mod support;

use std::time::Duration;

use support::Mesh;

#[test]
fn the_graph_has_nodes_by_name_and_edges_by_weight() {
    let mut mesh = Mesh::new(1, &[("pi", &["server"]), ("server", &[])]);
    assert!(mesh.run(Duration::from_secs(60), Mesh::converged));
    let drawn = mesh.members[0].node.as_ref().unwrap().dump_graph();
    let expected = "digraph {\n\
        \t\"pi\" [label = \"pi\"];\n\
        \t\"server\" [label = \"server\"];\n\
        \t\"pi\" -> \"server\";\n\
        \t\"server\" -> \"pi\";\n\
        }\n";
    assert_eq!(drawn, expected);
}
