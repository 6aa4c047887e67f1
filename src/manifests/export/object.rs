//! Objects as text, and the files that they stand in.

use serde_json::{Value, json};

use crate::manifests::export::{Exported, Names};
use crate::yaml::{self, WriteError};

/// Takes objects in and makes files of them.
pub struct Writer<'a> {
    /// What the objects are called.
    pub names: &'a Names<'a>,
    /// What was written.
    pub exported: Exported,
}

impl<'a> Writer<'a> {
    pub fn new(names: &'a Names<'a>) -> Self {
        Self { names, exported: Exported::default() }
    }

    /// Writes a file of objects of one kind, each with name and spec, under a comment.
    pub fn file<K>(
        &mut self,
        file: &str,
        comment: &[String],
        objects: Vec<(String, Value)>,
    ) -> Result<(), WriteError>
    where
        K: kube::Resource<DynamicType = ()>,
        K::Scope: Place,
    {
        let texts = objects.into_iter().map(|(name, spec)| {
            let mut metadata = json!({"name": name});
            if K::Scope::NAMESPACED {
                metadata["namespace"] = json!(self.names.namespace);
            }
            yaml::write(&json!({
                "apiVersion": K::api_version(&()),
                "kind": K::kind(&()),
                "metadata": metadata,
                "spec": spec,
            }))
        });
        let texts = texts.collect::<Result<Vec<_>, _>>()?;
        let comment: String = comment.iter().map(|line| self::comment(line)).collect();
        let text = format!("{comment}{}", texts.join("---\n"));
        self.exported.files.push((format!("{file}.yaml"), text));
        Ok(())
    }

    /// The account, as other objects name it.
    pub fn account_ref(&self) -> Value {
        json!({"name": self.names.name})
    }
}

/// Whether objects of a kind are in a namespace.
pub trait Place {
    /// True if they are.
    const NAMESPACED: bool;
}

impl Place for kube::core::NamespaceResourceScope {
    const NAMESPACED: bool = true;
}

impl Place for kube::core::ClusterResourceScope {
    const NAMESPACED: bool = false;
}

/// Comment lines about who is not declared; none where everybody is.
pub fn left_out(why: &[String]) -> Vec<String> {
    let heading = (!why.is_empty()).then(|| "Not declared, on purpose:".to_owned());
    heading.into_iter().chain(why.iter().map(|line| format!("  {line}"))).collect()
}

/// One line, without anything that any reader takes for its end.
fn comment(line: &str) -> String {
    let plain = |c: &char| !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}');
    format!("# {}\n", line.chars().filter(plain).collect::<String>())
}
